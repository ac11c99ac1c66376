//! What a server's role makes of its answer: who is well and the wrong one is alive, and no more. Pure.

use super::{Finding, Reason, Verdict};
use crate::plan::{Role, RolePlan};

/// The finding for a pool that wants this.
pub fn wanted(finding: Finding, plan: &RolePlan) -> Finding {
    let Some(claimed) = finding.role.filter(|_| finding.verdict == Verdict::Up) else {
        return finding;
    };
    if !plan.is_wrong(Some(claimed)) {
        return finding;
    }
    Finding {
        verdict: Verdict::Alive,
        reason: match claimed {
            Role::Active => Reason::Active,
            Role::Standby => Reason::Passive,
        },
        detail: match finding.detail.as_str() {
            "" => format!("the server says that it is {}", claimed.as_str()),
            said => said.to_owned(),
        },
        ..finding
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::OnRoleLost;

    fn of(verdict: Verdict, role: Option<Role>) -> Finding {
        Finding {
            verdict,
            reason: Reason::Ok,
            step: "state",
            detail: String::new(),
            role,
            steps: Vec::new(),
            took: Duration::ZERO,
            logs_error: false,
        }
    }

    #[test]
    fn only_a_well_server_in_the_wrong_role_is_made_alive() {
        use Role::{Active, Standby};
        use Verdict::{Alive, Down, Up};
        let table = [
            (None, Some(Standby), Up, Up),
            (Some(Active), Some(Active), Up, Up),
            (Some(Active), Some(Standby), Up, Alive),
            (Some(Active), None, Up, Up),
            (Some(Standby), Some(Active), Up, Alive),
            (Some(Standby), Some(Standby), Up, Up),
            (Some(Active), Some(Standby), Down, Down),
            (Some(Active), Some(Active), Alive, Alive),
        ];
        for (role, claimed, verdict, expected) in table {
            let plan = RolePlan {
                wanted: role,
                on_lost: OnRoleLost::Cut,
            };
            let found = wanted(of(verdict, claimed), &plan);
            assert_eq!(found.verdict, expected, "{role:?} {claimed:?} {verdict}");
            assert_eq!(found.role, claimed);
        }
    }
}
