//! `cluster/tree`: this cluster with all below it, for a main cluster that has it for a daemon.

use std::io;
use std::time::Duration;

use common::api::tree::Query;
use common::ids::Cid;
use common::kubo::value::Encoding;
use tokio::time::Instant;

use super::Context;
use super::request::Request;
use super::request::limit::{Limit, Stop};
use crate::reply::Answer;

/// A tree that takes longer is given up, whatever time the asker has.
const WITHIN_MAX: Duration = Duration::from_secs(30);

/// Answers the request, in JSON whatever encoding is asked for.
///
/// # Errors
/// The client is gone.
pub(crate) async fn serve(
    request: &Request,
    mut answer: Answer<'_>,
    context: &Context,
) -> io::Result<()> {
    answer.encoding = Encoding::Json;
    let query = match read(request) {
        Ok(query) => query,
        Err(words) => return answer.fail_as(400, &words).await,
    };
    let within = query.within_ms.map_or(WITHIN_MAX, Duration::from_millis).min(WITHIN_MAX);
    let asked = async {
        let tree = context.cluster.tree(&query, within).await?;
        serde_json::to_vec(&tree).map_err(|error| error.to_string())
    };
    let limit = Limit::ours(request.deadline.filter(|at| *at < Instant::now() + within));
    match limit.bound_for(answer.exchange, asked).await {
        Ok(mut object) => {
            object.push(b'\n');
            answer.single(&object).await
        }
        Err(Stop::Gone(error)) => Err(error),
        Err(Stop::Words(words)) => answer.fail(&words).await,
    }
}

/// The query, checked. The words of a mistake say what to give.
fn read(request: &Request) -> Result<Query, String> {
    let options = &request.options;
    let above = options.text("above").unwrap_or_default().to_owned();
    let cid = match options.text("cid") {
        None => None,
        Some(text) => Some(text.parse::<Cid>().map_err(|error| format!("cid: {error}"))?),
    };
    let within_ms = match options.text("within_ms") {
        None => None,
        Some(text) => Some(text.parse::<u64>().map_err(|error| {
            format!("within_ms: {text:?} is no number of milliseconds: {error}")
        })?),
    };
    let query = Query { above, cid, within_ms, shallow: options.is_set("shallow") };
    query.clusters_above().map_err(|error| error.to_string())?;
    Ok(query)
}
