//! Large answers over kept connections: result sets.

use std::error::Error;

use crate::Load;
use crate::link::closed_loop;
use crate::server::head;

pub(crate) fn run(load: &Load, size: usize) -> Result<(), Box<dyn Error>> {
    let request = format!("GET /{size} HTTP/1.1\r\n\r\n");
    let answer = head(size).len() + size;
    let mut room = vec![0; 1 << 20];
    closed_loop(load, request.as_bytes(), answer, &mut room)?.print();
    Ok(())
}
