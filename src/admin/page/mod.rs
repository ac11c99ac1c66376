//! The page for people: files that are embedded, and nothing that is fetched from elsewhere.
//!
//! Plain HTML, CSS and JavaScript modules, served as they are written. `app.js` opens a view for the address's hash;
//! views describe what they show and `dom.js` changes what differs, in place. `stream.js` keeps `store.js` current, by
//! server-sent events or by asking. The policy of [`super::answer`] lets the page load and ask nobody but us, and has no
//! inline script or style.

use super::answer::{Answer, Fault, with};
use super::call::Call;
use super::endpoint::{Endpoint, Given};

/// `GET /`.
pub(super) const PAGE: Endpoint = Endpoint {
    summary: "The page",
    answer: Given::Text(HTML),
    ..Endpoint::get("/", |_| Box::pin(async { Ok(with(HTML, INDEX)) }))
};

/// `GET /assets/{file}`.
pub(super) const ASSET: Endpoint = Endpoint {
    summary: "A file of the page",
    answer: Given::Text("*/*"),
    ..Endpoint::get("/assets/{file}", |call| {
        Box::pin(async move { asset(&call) })
    })
};

fn asset(call: &Call) -> Result<Answer, Fault> {
    let file = call.names.get("file");
    let found = ASSETS.iter().find(|(name, ..)| *name == file);
    let found = found.ok_or_else(|| Fault::Unknown(format!("the page has no file {file:?}")));
    found.map(|(_, kind, text)| with(kind, *text))
}

/// A file beside this one.
macro_rules! file {
    ($name:literal, $kind:expr) => {
        ($name, $kind, include_str!($name))
    };
}

/// What the page asks for besides itself: its name, media type and text.
const ASSETS: &[(&str, &str, &str)] = &[
    file!("icon.svg", "image/svg+xml"),
    file!("style.css", "text/css; charset=utf-8"),
    file!("api.js", SCRIPT),
    file!("app.js", SCRIPT),
    file!("availability.js", SCRIPT),
    file!("certificates.js", SCRIPT),
    file!("chart.js", SCRIPT),
    file!("clock.js", SCRIPT),
    file!("configuration.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("events.js", SCRIPT),
    file!("format.js", SCRIPT),
    file!("happened.js", SCRIPT),
    file!("orders.js", SCRIPT),
    file!("overview.js", SCRIPT),
    file!("pace.js", SCRIPT),
    file!("parts.js", SCRIPT),
    file!("pool.js", SCRIPT),
    file!("probes.js", SCRIPT),
    file!("sentence.js", SCRIPT),
    file!("series.js", SCRIPT),
    file!("server.js", SCRIPT),
    file!("servers.js", SCRIPT),
    file!("sessions.js", SCRIPT),
    file!("store.js", SCRIPT),
    file!("stream.js", SCRIPT),
    file!("theme.js", SCRIPT),
    file!("together.js", SCRIPT),
];
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const INDEX: &str = include_str!("index.html");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_of_the_folder_is_served_and_fetches_nothing_from_elsewhere() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/admin/page");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.into_string().expect("UTF-8"))
            .filter(|name| name != "mod.rs" && name != "index.html")
            .collect();
        there.sort();
        let mut served: Vec<&str> = ASSETS.iter().map(|(name, ..)| *name).collect();
        served.sort_unstable();
        assert_eq!(served, there);
        for (name, _, text) in ASSETS.iter().chain(&[("index.html", HTML, INDEX)]) {
            let asked = text.split("://").count() - 1;
            // The names of XML and of schemes are no addresses.
            let names = text.matches("http://www.w3.org/").count();
            assert_eq!(asked, names, "{name} names an address");
        }
    }

    #[test]
    fn each_module_that_is_imported_is_served() {
        for (name, kind, text) in ASSETS.iter().filter(|(_, kind, _)| *kind == SCRIPT) {
            for import in text.split("from \"./").skip(1) {
                let wanted = import.split('"').next().unwrap_or_default();
                let there = ASSETS.iter().any(|(file, ..)| *file == wanted);
                assert!(there, "{name} ({kind}) imports {wanted}");
            }
        }
    }
}
