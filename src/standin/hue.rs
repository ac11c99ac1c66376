//! A stand-in for Hue: a page that names the instance, and `/desktop/debug/is_alive`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use hyper::StatusCode;

use super::listener::{Frame, StandInListener};
use super::raw;
use super::web::{self, Page, Question};

/// A running stand-in.
pub struct Hue {
    listener: StandInListener,
    alive_status: Arc<AtomicU16>,
}

impl Hue {
    /// Starts one that calls itself `name`.
    ///
    /// # Errors
    /// As [`StandInListener::open`].
    pub fn start(frame: &Frame, name: &str) -> io::Result<Self> {
        let alive_status = Arc::new(AtomicU16::new(StatusCode::OK.as_u16()));
        let (name, status): (Arc<str>, _) = (name.into(), Arc::clone(&alive_status));
        let listener = raw::open(frame, move |visit| {
            let (name, status) = (Arc::clone(&name), Arc::clone(&status));
            web::serve(visit, move |question| {
                let page = answer(&question, &name, status.load(Ordering::Relaxed));
                async move { page }
            })
        })?;
        Ok(Self {
            listener,
            alive_status,
        })
    }

    /// Address, counts and faults.
    pub fn listener(&self) -> &StandInListener {
        &self.listener
    }

    /// What `is_alive` answers from now on: 301 and 500 are what a real Hue in trouble says.
    pub fn set_alive_status(&self, status: u16) {
        self.alive_status.store(status, Ordering::Relaxed);
    }
}

fn answer(question: &Question, name: &str, alive_status: u16) -> Page {
    let path = question.target.split('?').next().unwrap_or_default();
    match path {
        "/desktop/debug/is_alive" => {
            let status = StatusCode::from_u16(alive_status).unwrap_or(StatusCode::OK);
            Page::new(status, "text/html", "")
        }
        _ => Page::html(format!(
            "<!doctype html><title>{name}</title><h1>{name}</h1><p>A stand-in for Hue answered {path}.</p>\n"
        )),
    }
}
