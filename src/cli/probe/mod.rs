//! `howdah probe`: one question to one server, each step with its time, and the verdict as exit code.

mod args;
mod question;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

pub use self::args::ProbeArgs;
use self::question::{Question, Refusal, question};
use super::FAILED;
use crate::health::probe::Means;
use crate::health::{Effort, Endpoint, Finding, Reason, Verdict, in_role, probe};
use crate::plan::{RolePlan, Service};

/// The server answers, but must not get new sessions.
pub const ALIVE: u8 = 3;
/// It does not answer as it should.
pub const DOWN: u8 = 4;

/// Asks, prints, and tells the verdict by the exit code.
pub fn run(args: &ProbeArgs) -> ExitCode {
    let asked = question(args).and_then(|question| {
        ask(&question).map_err(|error| Refusal {
            code: FAILED,
            faults: vec![error],
        })
    });
    // As a pool of that service judges: some want the active server alone.
    let role = Service::named(&args.kind).map_or(RolePlan::EQUALS, |service| service.role);
    let finding = match asked {
        Ok(finding) => in_role(finding, &role),
        Err(refusal) => {
            for fault in &refusal.faults {
                eprintln!("error: {fault}");
            }
            return ExitCode::from(refusal.code);
        }
    };
    print!("{}", report(&finding));
    ExitCode::from(match finding.verdict {
        Verdict::Up => super::DONE,
        Verdict::Alive => ALIVE,
        Verdict::Down => DOWN,
    })
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
            Err(detail) => return unresolved(started.elapsed(), detail),
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

async fn resolve(host: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, String> {
    match tokio::time::timeout(timeout, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {timeout:?}")),
    }
}

fn unresolved(took: Duration, detail: String) -> Finding {
    Finding {
        verdict: Verdict::Down,
        reason: Reason::ResolveFailed,
        step: "resolve",
        detail,
        role: None,
        steps: vec![("resolve", took)],
        took,
        logs_error: false,
    }
}

#[cfg(test)]
mod tests {
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
            ..unresolved(Duration::ZERO, "no answer".to_owned())
        };
        let text = "connect              1.2 ms\nsasl                 0.0 ms\ndown: timeout in step sasl: no answer\n";
        assert_eq!(report(&finding), text);
    }
}
