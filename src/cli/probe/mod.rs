//! `howdah probe`: one question to one server, each step with its time, and the verdict as exit code.

mod args;
mod hint;
mod of_pool;
mod question;
mod target;

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

pub use self::args::ProbeArgs;
use self::hint::{Put, hint};
use self::question::{Question, Refusal, question};
use self::target::{Target, target};
use super::asking::{Asker, resolve, unasked, with_programs};
use super::{DEFAULT_CONFIG, FAILED, USAGE};
use crate::health::probe::Means;
use crate::health::{Effort, Endpoint, Finding, Reason, Verdict, in_role, probe};
use crate::plan::{RolePlan, Service};

/// The server answers, but must not get new sessions.
pub const ALIVE: u8 = 3;
/// It does not answer as it should.
pub const DOWN: u8 = 4;

/// Asks, prints, and tells the verdict by the exit code.
pub fn run(args: &ProbeArgs) -> ExitCode {
    let asked = target(args).map_err(|fault| Refusal {
        code: USAGE,
        faults: vec![fault],
    });
    let asked = asked.and_then(|target| match &target {
        Target::Words(args) => Ok((by_words(args)?, Put::Words)),
        Target::Of { pool, server } => Ok((as_the_pool(args, pool, server)?, Put::Pool)),
    });
    let (finding, put) = match asked {
        Ok(asked) => asked,
        Err(refusal) => {
            for fault in &refusal.faults {
                eprintln!("error: {fault}");
            }
            return ExitCode::from(refusal.code);
        }
    };
    print!("{}", report(&finding));
    if let Some(hint) = hint(finding.reason, put) {
        println!("help: {hint}");
    }
    ExitCode::from(match finding.verdict {
        Verdict::Up => super::DONE,
        Verdict::Alive => ALIVE,
        Verdict::Down => DOWN,
    })
}

/// As a pool of that service judges: some want the active server alone.
fn by_words(args: &ProbeArgs) -> Result<Finding, Refusal> {
    let finding = ask(&question(args)?).map_err(failed)?;
    let role = Service::named(&args.kind).map_or(RolePlan::EQUALS, |service| service.role);
    Ok(in_role(finding, &role))
}

fn as_the_pool(args: &ProbeArgs, pool: &str, server: &str) -> Result<Finding, Refusal> {
    let file = args.config.as_deref();
    let file = file.unwrap_or_else(|| Path::new(DEFAULT_CONFIG));
    let member = of_pool::member(file, pool, server)?;
    let asked = with_programs(&member.plan, async |programs| {
        let asker = Asker::new(&member.pool, programs, args.timeout);
        asker.ask(&member.name, &member.address).await
    });
    let asked = asked.map_err(|error| failed(format!("nobody can be asked: {error}")))?;
    let nothing = || {
        failed(format!(
            "pool {pool:?} asks nobody (service udp without a probe): all its servers count as up"
        ))
    };
    asked.finding.ok_or_else(nothing)
}

fn failed(fault: String) -> Refusal {
    Refusal {
        code: FAILED,
        faults: vec![fault],
    }
}

/// What is printed: a line a step, and the verdict with its reason.
pub fn report(finding: &Finding) -> String {
    let mut text = String::new();
    for (step, took) in &finding.steps {
        let _ = writeln!(text, "{step:<14} {:>9.1} ms", took.as_secs_f64() * 1e3);
    }
    let verdict = finding.verdict.as_str();
    let reason = finding.reason.as_str();
    let _ = match (finding.reason, finding.detail.as_str()) {
        (Reason::Ok, "") => writeln!(text, "{verdict}"),
        (_, "") => writeln!(text, "{verdict}: {reason} in step {}", finding.step),
        (_, detail) => writeln!(
            text,
            "{verdict}: {reason} in step {}: {detail}",
            finding.step
        ),
    };
    text
}

fn ask(question: &Question) -> Result<Finding, String> {
    let Question {
        host, port, plan, ..
    } = question;
    let means = Means::new(plan).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    Ok(runtime.block_on(async {
        let started = Instant::now();
        let addresses = match resolve(host, *port, plan.timeout).await {
            Ok(addresses) => addresses,
            Err(detail) => return unasked(Reason::ResolveFailed, "resolve", detail, started),
        };
        let resolved = started.elapsed();
        let endpoint = Endpoint {
            addresses: &addresses,
            host,
            send_proxy: question.send_proxy,
        };
        let mut strangers = probe::ProbeMemory::default();
        let mut finding = probe::ask(&endpoint, plan, Effort::Full, &means, &mut strangers).await;
        finding.steps.insert(0, ("resolve", resolved));
        finding
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_report_has_a_line_a_step_and_the_verdict() {
        let finding = Finding {
            steps: vec![
                ("connect", Duration::from_micros(1234)),
                ("sasl", Duration::ZERO),
            ],
            step: "sasl",
            reason: Reason::Timeout,
            ..unasked(
                Reason::ResolveFailed,
                "resolve",
                "no answer".to_owned(),
                Instant::now(),
            )
        };
        let text = "connect              1.2 ms\nsasl                 0.0 ms\ndown: timeout in step sasl: no answer\n";
        assert_eq!(report(&finding), text);
    }
}
