//! The page in a real browser: with JavaScript, without, in light and dark, on a telephone.

use std::fs;
use std::path::Path;

use data_encoding::BASE64;
use serde_json::json;

use crate::browser::Browser;
use crate::stage::{HOSTILE_PEER, HOSTILE_PIN, Stage};

/// Narrow as a small telephone, in CSS pixels.
const NARROW: u32 = 360;
const WIDE: u32 = 1200;

/// The texts whose contrast with what is behind them is below 4.5 to 1 (3 to 1 for large ones).
/// Source: W3C, "Web Content Accessibility Guidelines 2.2", 1.4.3.
const FAINT: &str = include_str!("contrast.js");

#[test]
#[ignore = "needs Chromium; .ci/run runs it with --include-ignored"]
fn a_browser_shows_the_page_and_it_renews_itself() {
    let mut stage = Stage::start();
    let mut browser = Browser::start();
    browser.show(WIDE, "light");
    browser.open(&stage.url());
    it_shows_all_there_is(&mut browser);
    it_renews_itself(&stage, &mut browser);
    it_rests_while_nobody_looks(&mut browser);
    it_looks_right(&mut browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    it_says_that_clusterd_is_away(&mut stage, &mut browser);
    without_javascript_the_tables_are_there(&stage);
}

fn it_shows_all_there_is(browser: &mut Browser) {
    let text = browser.text();
    for words in ["Cluster ipfs-cluster", "alpha", "pin error", HOSTILE_PEER, HOSTILE_PIN] {
        assert!(text.contains(words), "no {words} in {text}");
    }
    assert_eq!(browser.value("document.querySelectorAll('script, img').length"), 1);
    assert_eq!(browser.value("document.querySelectorAll('h1').length"), 1);
    let unscoped = "document.querySelectorAll('th:not([scope])').length";
    assert_eq!(browser.value(unscoped), 0);
    let drawn = "document.querySelector('svg').getBoundingClientRect().height > 50";
    assert_eq!(browser.value(drawn), true);
}

/// Without being loaded again: what was left in the page stays, and so does what is open in it.
fn it_renews_itself(stage: &Stage, browser: &mut Browser) {
    browser.value("window.left = 1; document.querySelector('details').open = true");
    let pins = "Number(document.querySelector('[data-part=pins] td').textContent)";
    let before = browser.value(pins).as_u64().unwrap();
    stage.pin("seen by itself");
    browser.wait_for(&format!("{pins} === {}", before + 1));
    assert_eq!(browser.value("window.left"), 1);
    assert_eq!(browser.value("document.querySelector('details').open"), true);
}

fn it_rests_while_nobody_looks(browser: &mut Browser) {
    let turn = |hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }}); \
             document.dispatchEvent(new Event('visibilitychange'))"
        )
    };
    browser.value(
        "window.asked = 0; const real = window.fetch; \
         window.fetch = (...args) => { window.asked++; return real(...args) }",
    );
    browser.value(&turn(true));
    // Longer than it would take to ask again.
    browser.value("new Promise(done => setTimeout(done, 7000))");
    assert!(browser.value("window.asked").as_u64() <= Some(1), "it asks while it is hidden");
    browser.value("window.asked = 0");
    browser.value(&turn(false));
    browser.wait_for("window.asked >= 2");
}

/// Fits on a telephone, can be read in both schemes; keeps pictures of all.
fn it_looks_right(browser: &mut Browser) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let artefacts = target.join("artefacts");
    fs::create_dir_all(&artefacts).unwrap();
    for (width, name) in [(WIDE, "wide"), (NARROW, "narrow")] {
        for scheme in ["light", "dark"] {
            browser.show(width, scheme);
            let matches = format!("matchMedia('(prefers-color-scheme: {scheme})').matches");
            browser.wait_for(&format!("{matches} && innerWidth === {width}"));
            let beyond = browser.value("document.documentElement.scrollWidth - innerWidth");
            assert_eq!(beyond, 0, "at {width} px the page is wider than the screen");
            assert_eq!(browser.value(FAINT), json!([]), "hard to read in {scheme}");
            let picture = BASE64.decode(browser.picture().as_bytes()).unwrap();
            let file = artefacts.join(format!("status-page-{name}-{scheme}.png"));
            fs::write(&file, picture).unwrap();
            println!("picture: {}", file.display());
        }
    }
}

fn it_says_that_clusterd_is_away(stage: &mut Stage, browser: &mut Browser) {
    stage.ours.clusterd.stop().unwrap();
    let lost = "document.getElementById('lost').textContent";
    browser.wait_for(&format!("{lost}.startsWith('clusterd cannot be reached')"));
    assert!(browser.text().contains(HOSTILE_PIN), "what was known is still shown");
    stage.ours.clusterd.start().unwrap();
    browser.wait_for(&format!("{lost} === ''"));
}

fn without_javascript_the_tables_are_there(stage: &Stage) {
    let mut browser = Browser::start();
    browser.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.show(WIDE, "light");
    browser.open(&stage.url());
    let text = browser.text();
    for words in ["Load the page again", "alpha", HOSTILE_PEER, HOSTILE_PIN, "in the pinset"] {
        assert!(text.contains(words), "no {words} in {text}");
    }
    assert_eq!(browser.value("document.querySelectorAll('table').length >= 3"), true);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
