//! What the demo tells first: what runs where, and what to try.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use super::cluster::{Cluster, Familiar, Places};

/// What runs where, and what to try.
pub(super) fn welcome(cluster: &Cluster, places: &Places) {
    let [hives, impalas, hues] = cluster.names().map(|names| names.join(" "));
    let Places {
        hive,
        impala,
        hue,
        admin,
    } = places;
    let elsewhere = elsewhere(places);
    let admin_flag = admin_flag(*admin);
    // As it was called: from a fresh build it is not on the path.
    let howdah = std::env::args()
        .next()
        .unwrap_or_else(|| "howdah".to_owned());
    let (hive_port, impala_port) = (hive.port(), impala.port());
    let _ = writeln!(
        io::stdout(),
        r#"
howdah before stand-ins for a cluster. Ctrl-C ends it all.

  HiveServer2   {hive:<25} {hives}
  Impala        {impala:<25} {impalas}
  Hue           http://{hue:<18} {hues}
  Status page   http://{admin}/
{elsewhere}Every query answers with the name of the server that ran it. Try, in another terminal:

  beeline -u 'jdbc:hive2://{hive}/' -n me -p any -e 'SELECT who_answers'
  python3 -c "from impala.dbapi import connect; c = connect('127.0.0.1', {hive_port}, auth_mechanism='PLAIN', user='me', password='any').cursor(); c.execute('SELECT who_answers'); print(c.fetchall())"
  python3 -c "from impala.dbapi import connect; c = connect('127.0.0.1', {impala_port}).cursor(); c.execute('SELECT who_answers'); print(c.fetchall())"
  curl http://{hue}/
  curl http://{admin}/api/v1/status
  {howdah} status{admin_flag}
  {howdah} drain hive/hs2-1{admin_flag}
"#
    );
}

/// Who is not where everybody looks for it, and why.
fn elsewhere(places: &Places) -> String {
    let wanted = [
        ("HiveServer2", Familiar::Hive, places.hive),
        ("Impala", Familiar::Impala, places.impala),
        ("Hue", Familiar::Hue, places.hue),
        ("the status page", Familiar::Admin, places.admin),
    ];
    let moved = wanted
        .iter()
        .filter(|(_, familiar, at)| familiar.port() != at.port());
    moved
        .map(|(what, familiar, at)| {
            format!(
                "\nPort {} is taken on this machine: {what} is on port {} instead.",
                familiar.port(),
                at.port()
            )
        })
        .chain(["\n".to_owned()])
        .collect()
}

/// What a command needs to find the admin server; nothing, where it is at its usual place.
fn admin_flag(admin: SocketAddr) -> String {
    match admin.port() {
        9600 => String::new(),
        _ => format!(" --admin http://{admin}"),
    }
}
