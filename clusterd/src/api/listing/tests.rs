//! Listings over rows of a stand-in for the store.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use clusterd_core::snapshot::Visitor;
use clusterd_core::store::{Entry, Space, StoreError};
use http_body_util::BodyExt;

use super::*;

/// Rows with these numbers as keys; reading past `broken_after` fails.
struct Rows {
    count: u32,
    broken_after: u32,
}

impl Snapshot for Rows {
    fn visit(&self, after: Option<&[u8]>, visitor: &mut Visitor<'_>) -> Result<(), StoreError> {
        let first = after.map_or(0, |key| u32::from_be_bytes(key.try_into().unwrap()) + 1);
        if first > self.broken_after {
            return Err(StoreError::Damaged { what: "a table".to_owned() });
        }
        for number in first..self.count {
            let key = number.to_be_bytes();
            if visitor(Row { key: &key, pin: Some(b""), unsettled: None, spread: None }).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    fn look(&self, _: &[u8], _: &mut dyn FnMut(Row<'_>)) -> Result<(), StoreError> {
        Ok(())
    }

    fn rows(&self, _: Space, _: Option<&[u8]>, _: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(Vec::new())
    }
}

fn rows(count: u32, broken_after: u32) -> Arc<dyn Snapshot> {
    Arc::new(Rows { count, broken_after })
}

/// A line of 20 bytes.
fn line(row: Row<'_>, lines: &mut Vec<u8>) -> Result<(), ApiError> {
    let number = u32::from_be_bytes(row.key.try_into().unwrap());
    lines.extend_from_slice(format!("{number:>19}\n").as_bytes());
    Ok(())
}

#[tokio::test]
async fn a_long_listing_comes_whole_and_with_its_last_line() {
    let count = 100_000;
    let response = list(&rows(count, u32::MAX), None, line, End::Line(".")).await.ok().unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = std::str::from_utf8(&body).unwrap();
    assert_eq!(text.lines().count(), count as usize + 1);
    assert!(text.ends_with("              99999\n.\n"));
}

#[tokio::test]
async fn a_listing_of_nothing_is_status_204_or_its_last_line_alone() {
    let none = |_: Row<'_>, _: &mut Vec<u8>| Ok(());
    let plain = list(&rows(50_000, u32::MAX), None, none, End::Plain).await.ok().unwrap();
    assert_eq!(plain.status(), StatusCode::NO_CONTENT);
    let ended = list(&rows(50_000, u32::MAX), None, none, End::Line(".")).await.ok().unwrap();
    assert_eq!(ended.into_body().collect().await.unwrap().to_bytes(), ".\n");
}

#[tokio::test]
async fn a_failure_in_the_middle_does_not_look_like_an_end() {
    let response = list(&rows(100_000, 50_000), None, line, End::Plain).await.ok().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_failure_at_the_start_is_an_error_answer() {
    let failure = list(&rows(0, 0), None, |_, _| Err(damaged()), End::Plain).await;
    assert!(failure.is_ok(), "no row, no failure");
    let failure = list(&rows(5, 9), None, |_, _| Err(damaged()), End::Plain).await.err().unwrap();
    assert_eq!(failure.into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
}
