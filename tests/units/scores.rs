//! Each unit is well-formed and stays below its ceiling of exposure, judged by systemd 252.

use super::stage;

/// Tenths of a point.
const CEILINGS: [(&str, u32); 4] =
    [("proxyd", 10), ("proxyd@name", 10), ("clusterd", 15), ("clusterd@name", 15)];

#[test]
#[ignore = "boots machines: run by .ci/run"]
fn every_unit_is_well_formed_and_below_its_ceiling() {
    let machine = stage::with_kubo("scores").unwrap();
    stage::install(&machine).unwrap();
    let version = machine.ok(&["systemctl", "--version"]).unwrap();
    assert!(version.starts_with("systemd 252"), "{version}");
    // The pages are there, but this machine has no program to read them.
    machine.sh("printf '#!/bin/sh\\n' > /usr/bin/man; chmod +x /usr/bin/man").unwrap();
    let said = machine
        .sh("systemd-analyze verify /usr/lib/systemd/system/proxyd* /usr/lib/systemd/system/clusterd* 2>&1")
        .unwrap();
    assert_eq!(said, "");
    for (unit, ceiling) in CEILINGS {
        let threshold = format!("--threshold={ceiling}");
        let said = machine.run(&["systemd-analyze", "security", "--no-pager", &threshold, unit]);
        let said = said.unwrap();
        assert_eq!(said.code, Some(0), "{unit} is above {ceiling} tenths:\n{}", said.stdout);
        println!("{}", said.stdout.trim().lines().last().unwrap_or_default());
    }
}
