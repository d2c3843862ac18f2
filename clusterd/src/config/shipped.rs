//! The shipped file and the man page say what is true.

use common::shipped;

use super::*;

const FILE: &str = include_str!("../../../packaging/conf/clusterd.toml");
const PAGE: &str = include_str!("../../../packaging/man/clusterd.toml.5");

#[test]
fn the_shipped_file_shows_the_defaults() {
    let text = shipped::uncommented(FILE);
    let config =
        common::config::parse(Path::new("clusterd.toml"), &text, |raw: RawConfig, faults| {
            Some(raw.check(faults))
        });
    assert_eq!(config.unwrap(), Config::default());
}

#[test]
fn every_setting_is_in_the_shipped_file_and_in_the_man_page() {
    assert!(shipped::settings::<RawConfig>(FILE).len() >= 20);
    assert_eq!(shipped::undescribed::<RawConfig>(FILE), Vec::<String>::new());
    assert_eq!(shipped::unexplained::<RawConfig>(FILE, PAGE), Vec::<String>::new());
}
