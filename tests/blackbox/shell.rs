//! What a shell and `man` make of `howdah completions` and `howdah man`.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{program, run};

async fn script(shell: &str) -> String {
    let mut command = program();
    command.args(["completions", shell]);
    let output = run(command).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What bash offers for the last of these words.
async fn offered(file: &str, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let ask = format!(
        "source {file}; COMP_WORDS=({}); COMP_CWORD={last}; _howdah howdah '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words[last],
        words[last - 1]
    );
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &ask]);
    let output = run(bash).await;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn bash_completes_commands_options_and_words() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("howdah.bash");
    fs::write(&file, script("bash").await).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(offered(file, &["howdah", "dra"]).await, ["drain"]);
    let options = offered(file, &["howdah", "reload", "--dr"]).await;
    assert_eq!(options, ["--dry-run"]);
    let shells = offered(file, &["howdah", "completions", "z"]).await;
    assert_eq!(shells, ["zsh"]);
    assert!(script("zsh").await.starts_with("#compdef howdah"));
    assert!(script("fish").await.contains("complete -c howdah"));
}

#[tokio::test]
async fn each_command_has_a_page_that_man_reads() {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man1");
    let mut command = program();
    command.arg("man").arg("--out").arg(&pages);
    let output = run(command).await;
    assert!(output.status.success(), "{output:?}");
    for (name, says) in [
        ("howdah", "howdah\\-drain(1)"),
        ("howdah-drain", "Examples:\n  howdah drain"),
        ("howdah-reload", "\\-\\-dry\\-run"),
    ] {
        let page = pages.join(format!("{name}.1"));
        let text = fs::read_to_string(&page).unwrap();
        assert!(text.contains(".TH ") && text.contains(".SH NAME"), "{text}");
        assert!(text.contains(says), "{name}: {text}");
        let head = text.lines().find(|line| line.starts_with(".TH "));
        let version = concat!(" ", env!("CARGO_PKG_VERSION"));
        assert!(head.unwrap().contains(version), "{head:?}");
        // Where there is a man to ask.
        let Ok(read) = Command::new("man")
            .arg("--warnings")
            .arg("-l")
            .arg(&page)
            .output()
        else {
            continue;
        };
        assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
    }
    let hidden = format!("howdah-{}.1", "run-commands");
    assert!(!pages.join(hidden).exists());
}
