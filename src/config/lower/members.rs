//! A file that lists servers → [`ServerPlan`]s, as if they stood in the pool.

use super::server::{self, Usual};
use crate::config::cx::Cx;
use crate::config::file::Members;
use crate::plan::{PoolPlan, ServerPlan};

/// A list of nobody is none to obey; it is no fault either.
pub(in crate::config) fn lower(words: &Members, pool: &PoolPlan, cx: &mut Cx) -> Vec<ServerPlan> {
    if words.servers.is_absent() {
        super::missing(&words.span, "servers", "servers = [\"HOST\", \"HOST\"]", cx);
    }
    cx.owner = format!("pool {:?}", pool.name.as_str());
    let Some(list) = words.servers.value() else {
        return Vec::new();
    };
    let usual = Usual {
        service: pool.service,
        tls: pool.tls.is_some(),
        defaults: &pool.server_defaults,
    };
    let plans = server::all(list, usual, cx).into_iter();
    plans.map(|plan| ServerPlan::clone(&plan)).collect()
}
