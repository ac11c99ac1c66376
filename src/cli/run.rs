//! `howdah run`: serve in the foreground until told to stop.

use std::path::Path;
use std::process::ExitCode;

use rustix::process::getuid;
use tokio::sync::mpsc;

use super::detached::Parent;
use super::{DONE, FAILED, FAULTY, budget, check};
use crate::app::heritage::Heritage;
use crate::app::signal::Signals;
use crate::app::{App, Ended, Source, StartError};
use crate::config::{self, Loaded};
use crate::confine;
use crate::doctor::System;
use crate::handover::claim::{Claim, claim};
use crate::handover::door::Door;
use crate::handover::given::{Given, given};
use crate::handover::inherited::Inherited;
use crate::handover::manager::Manager;
use crate::handover::place;
use crate::handover::report::Outlived;
use crate::health::command::{Runner, commands};
use crate::state::make_folder;
use crate::telemetry::Metrics;
use crate::telemetry::log::Log;

/// How to begin.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way {
    /// From a howdah that runs with the same configuration.
    pub takeover: bool,
    /// In a session of its own, as `howdah upgrade` starts it.
    pub detached: bool,
}

/// Runs until a signal ends it, or a successor takes over. Exit codes: 0 stopped as told, 1 could not start, 78 faulty
/// configuration.
pub fn run(path: &Path, way: Way) -> ExitCode {
    // Before anything is opened, which could have the number of a descriptor that is not there.
    let given = given();
    let parent = way.detached.then(Parent::leave);
    let loaded = match config::load(path) {
        Ok(loaded) => loaded,
        Err(report) => {
            check::show_report(&report);
            return FAULTY.into();
        }
    };
    check::show_warnings(&loaded.warnings);
    match serve(loaded, path, way, parent.as_ref(), given) {
        Ok(Ended::Stopped | Ended::Yielded | Ended::Outlived(Outlived::Stopped)) => DONE.into(),
        Ok(Ended::Outlived(Outlived::Lost)) => FAILED.into(),
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(parent) = &parent {
                parent.hears_why(&error.to_string());
            }
            FAILED.into()
        }
    }
}

fn serve(
    loaded: Loaded,
    path: &Path,
    way: Way,
    parent: Option<&Parent>,
    given: Given,
) -> Result<Ended, Box<dyn std::error::Error>> {
    let (plan, words) = (loaded.plan, loaded.words);
    let source = Source {
        path: path.to_owned(),
        words,
    };
    let metrics = Metrics::new();
    let files = budget::raise_open_files();
    // What the doctor will say of this machine: the locks hide it.
    System::here();
    // What is found by who we are now; and what came with the process.
    let user = plan.global.user.as_ref().map(|user| (user.uid, user.gid));
    let find = || place::find(path, user.map(|(uid, _)| uid));
    let mut former = find();
    // Looked for also without a takeover: the user may not be allowed to see that somebody of root's answers there.
    let is_taken = !way.takeover && former.take().is_some();
    let mut unused = given.useless;
    let mut heritage = Heritage {
        inherited: given.sockets,
        manager: Manager::of_this_process(),
        user: getuid().as_raw(),
        ..Heritage::default()
    };
    if let Some(user) = user {
        place::give(user, former.as_ref().and_then(|(_, path)| path.parent()));
    }
    let state = plan.state.file.as_deref();
    let made = state.and_then(|file| make_folder(file, user));
    // Before the first thread, the log's: threads inherit what their maker is.
    let settled = confine::settle(&plan)?;
    // A root without all of its rights finds less than the user.
    if way.takeover && former.is_none() {
        former = find();
    }
    let door = match is_taken {
        true => Err(std::io::ErrorKind::AddrInUse.into()),
        false => door(path, former.as_ref().map(|(_, path)| path.as_path())),
    };
    if let (Some(_), Err(error)) = (&former, &door) {
        return Err(NoRoom(error.kind().into()).into());
    }
    // From the next line on nothing starts programs.
    let runner = Runner::start(commands(&plan))?;
    let folder = door.as_ref().ok().and_then(|door| door.path().parent());
    let confined = settled.lock(&plan, path, &loaded.files, folder);
    // Reloads and commands are rare and small: one thread is enough for all that is not a session.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let claimed = match former {
        Some((stream, _)) => Some(runtime.block_on(claim(stream)).map_err(NotTaken)?),
        None => None,
    };
    let claimed = claimed.map(|claimed| {
        // The predecessor has them, if they are of any use.
        unused.extend(heritage.inherited.left());
        inherit(&mut heritage, claimed)
    });
    if way.detached {
        adopt_outputs(&mut heritage);
    }
    let log = Log::start(&plan.log, &metrics)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        configuration = %std::path::absolute(path).as_deref().unwrap_or(path).display(),
        pid = std::process::id(),
        "howdah starts"
    );
    confined.tell();
    tell(made.as_deref(), &unused);
    budget::tell(files, &plan);
    heritage.door = door.inspect_err(tell_of_no_door).ok();
    if way.takeover && claimed.is_none() {
        tracing::info!("nobody runs with this configuration: started as without --takeover");
    }
    let ended = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let programs = runner.map(Runner::attend).transpose()?;
        let programs = programs.unwrap_or_default();
        let (sender, received) = mpsc::channel(1);
        let app = App::start_with(plan, Some(source), metrics, programs, heritage).await;
        let app = succeed(app, claimed).await?;
        tokio::spawn(async move { while sender.send(signals.next().await).await.is_ok() {} });
        let serves = || parent.into_iter().for_each(Parent::hears_that_it_serves);
        let ended = Box::pin(app.run(received, serves)).await?;
        log.flush(std::time::Duration::from_secs(1));
        Ok(ended)
    });
    // A silent name server holds a look-up, and the thread that it blocks, for many seconds: nobody waits for that.
    runtime.shutdown_background();
    ended
}

fn inherit(heritage: &mut Heritage, (mut claim, inherited): (Claim, Inherited)) -> Claim {
    heritage.inherited = inherited;
    heritage.memory = claim.memory.take();
    heritage.cluster = claim.cluster.take();
    heritage.is_successor = true;
    claim
}

/// Of what happened before there was a log.
fn tell(made: Option<&Path>, unused: &[String]) {
    if let Some(folder) = made {
        tracing::info!(folder = %folder.display(), "made the folder of the state file");
    }
    for socket in unused {
        tracing::warn!(
            socket,
            "the service manager gave what is of no use here: closed"
        );
    }
}

fn tell_of_no_door(error: &std::io::Error) {
    tracing::warn!(%error, "no control socket: nobody will be able to take over from this howdah");
}

/// One that could not start leaves everything to its predecessor.
async fn succeed(app: Result<App, StartError>, claim: Option<Claim>) -> Result<App, StartError> {
    match (app, claim) {
        (Ok(mut app), Some(claim)) => {
            app.succeed(claim);
            Ok(app)
        }
        (Ok(app), None) => Ok(app),
        (Err(error), claim) => {
            give_up(claim, &error.to_string()).await;
            Err(error)
        }
    }
}

/// Beside that of a predecessor, or where the next one will look.
fn door(config: &Path, former: Option<&Path>) -> std::io::Result<Door> {
    match former {
        Some(former) => Door::bind(former, true),
        None => Door::bind(&place::folder()?.join(place::name(config)), false),
    }
}

/// Logs go where those of the predecessor go: a terminal may be gone soon.
fn adopt_outputs(heritage: &mut Heritage) {
    let (output, errors) = heritage.inherited.take_outputs();
    if let Some(output) = output {
        let _ = rustix::stdio::dup2_stdout(output);
    }
    if let Some(errors) = errors {
        let _ = rustix::stdio::dup2_stderr(errors);
    }
}

async fn give_up(claim: Option<Claim>, why: &str) {
    if let Some(claim) = claim {
        claim.failed(why).await;
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot take over, and the howdah that runs goes on: {0}")]
struct NotTaken(#[source] crate::handover::link::LinkError);

/// The old one would wait for a successor that nobody can reach.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot take over, and the howdah that runs goes on: no control socket can be made beside its own: {0}"
)]
struct NoRoom(#[source] std::io::Error);
