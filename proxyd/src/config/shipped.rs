//! The shipped file and the man page say what is true.

use common::shipped;

use super::*;

const FILE: &str = include_str!("../../../packaging/conf/proxyd.toml");
const PAGE: &str = include_str!("../../../packaging/man/proxyd.toml.5");

#[test]
fn the_shipped_file_shows_the_defaults() {
    let text = shipped::uncommented(FILE);
    let config = common::config::parse(Path::new("proxyd.toml"), &text, check);
    assert_eq!(config.unwrap(), Config::default());
}

#[test]
fn every_setting_is_in_the_shipped_file_and_in_the_man_page() {
    assert!(shipped::settings::<Raw>(FILE).len() >= 13);
    assert_eq!(shipped::undescribed::<Raw>(FILE), Vec::<String>::new());
    assert_eq!(shipped::unexplained::<Raw>(FILE, PAGE), Vec::<String>::new());
}
