//! 64 bytes out and back over kept connections: the work of a chatty client.

use std::error::Error;

use crate::Load;
use crate::link::{SMALL, SMALL_ANSWER, closed_loop};

pub(crate) fn run(load: &Load) -> Result<(), Box<dyn Error>> {
    closed_loop(load, SMALL, SMALL_ANSWER, &mut [0; 256])?.print();
    Ok(())
}
