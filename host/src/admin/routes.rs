//! What can be asked for.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use axum::{Extension, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{info, warn};

use super::body;
use super::caller::Caller;
use super::gate::admit;
use super::health::{live, ready};
use super::pages::{self, page};
use super::ports::{Change, Host, NewFile, Outcome, Pipeline};
use super::problem::{MEDIA_TYPE, Problem};
use super::tokens::Tokens;
use crate::config::{Role, Start};
use crate::error::{Code, Error, Result};
use crate::model::FILE_LIMIT as MODEL_BYTES;
use crate::plugin::FILE_LIMIT as PLUGIN_BYTES;
use crate::release::history::Event;
use crate::release::manifest::Ticket;
use crate::release::signature::signature;
use crate::telemetry;

/// Requests that wait for brokers or disks, at a time.
pub(super) const LONG: usize = 8;
/// The longest that a client may have us wait for what becomes of a proposal.
pub(super) const WAIT: Duration = Duration::from_secs(600);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How often it is told of requests that are not let in, at most.
const TELL: Duration = Duration::from_secs(1);
/// Characters of a reason.
const WHY: usize = 1000;
/// Events of the history.
const LAST: usize = 20;
const LAST_AT_MOST: usize = 1000;
/// In this header a file's signature comes, in base64.
const SIGNATURE: &str = "tailwater-signature";
const DESCRIPTION: &str = include_str!("openapi.json");

type Answer = Result<Response, Problem>;

/// Whose connection it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub IpAddr);

/// What all requests share.
#[derive(Debug)]
pub(super) struct Api {
    host: Arc<Host>,
    tokens: Tokens,
    bound: IpAddr,
    long: Arc<Semaphore>,
    /// When it was last told that a request was not let in.
    told: Mutex<Option<Instant>>,
}

impl Api {
    pub fn new(host: Arc<Host>, tokens: Tokens, bound: IpAddr) -> Arc<Self> {
        Arc::new(Self { host, tokens, bound, long: Arc::new(Semaphore::new(LONG)), told: Mutex::default() })
    }

    fn pipelines(&self) -> Result<&[Arc<dyn Pipeline>], Problem> {
        self.host.pipelines().ok_or_else(|| Problem::busy("pipelines are being loaded"))
    }

    fn pipeline(&self, name: &str) -> Result<Arc<dyn Pipeline>, Problem> {
        let found = self.pipelines()?.iter().find(|pipeline| pipeline.name() == name);
        found
            .cloned()
            .ok_or_else(|| Problem::missing(format!("no pipeline of this process is called {name:?}")))
    }

    /// Whether it is time to tell of another request that is not let in: whoever sends them must not fill the log.
    fn tells(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let tells = told.is_none_or(|last| last.elapsed() >= TELL);
        if tells {
            *told = Some(Instant::now());
        }
        tells
    }

    /// On a thread that may wait.
    async fn long<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let place = Arc::clone(&self.long).try_acquire_owned();
        let place = place.map_err(|_| Problem::busy(format!("{LONG} requests wait for brokers already")))?;
        let work = move || {
            let _place = place;
            work()
        };
        let done = tokio::task::spawn_blocking(work).await;
        let panicked = |_| Error::new(Code::Internal, "it panicked; the message stands in the log");
        Ok(done.map_err(panicked)??)
    }
}

type Routes = MethodRouter<Arc<Api>>;

/// Each path, with its methods for who compares them with the description.
pub(super) fn routes() -> [(&'static str, &'static str, Routes); 12] {
    [
        ("/live", "get", get(is_live)),
        ("/ready", "get", get(is_ready)),
        ("/metrics", "get", get(metrics)),
        ("/v1/openapi.json", "get", get(description)),
        ("/v1/pipelines", "get", get(pipelines)),
        ("/v1/pipelines/{name}", "get", get(pipeline)),
        ("/v1/pipelines/{name}/files/{stage}", "put", put(put_file)),
        ("/v1/pipelines/{name}/files/features/{stage}", "put", put(put_features)),
        ("/v1/pipelines/{name}/proposals/{ticket}", "get", get(proposal)),
        ("/v1/pipelines/{name}/releases", "get", get(releases)),
        ("/v1/pipelines/{name}/releases/history", "get", get(history)),
        ("/v1/pipelines/{name}/releases/rollback", "post", post(roll_back)),
    ]
}

pub(super) fn router(api: Arc<Api>) -> Router {
    let router =
        routes().into_iter().fold(Router::new(), |router, (path, _, route)| router.route(path, route));
    let router = router.fallback(nothing).with_state(Arc::clone(&api));
    router.layer(middleware::from_fn_with_state(api, gate))
}

async fn gate(
    State(api): State<Arc<Api>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match admit(&parts, api.bound, &api.tokens) {
        Ok(token) => Caller::new(token, &parts.headers, peer),
        Err(problem) => {
            if api.tells() {
                let Error { code, message } = &problem.error;
                let (method, path) = (&parts.method, parts.uri.path());
                warn!(%peer, %method, path, "a request is not let in: {code} {message}");
            }
            return problem.into_response();
        }
    };
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(caller);
    as_problem(next.run(request).await)
}

/// What the router itself refuses has no page yet.
fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE) {
        return response;
    }
    let why = match status {
        StatusCode::METHOD_NOT_ALLOWED => "the path has other methods, which the header Allow names",
        _ => "a part of the path can't be understood",
    };
    let mut problem = Problem::new(status, Code::Request, why).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

async fn nothing(uri: Uri) -> Problem {
    Problem::missing(format!("there is no {}: GET /v1/openapi.json has all that there is", uri.path()))
}

async fn is_live(State(api): State<Arc<Api>>) -> Answer {
    live(&api.host).map_err(Problem::busy)?;
    Ok(page(StatusCode::OK, &json!({ "status": "live" })))
}

async fn is_ready(State(api): State<Arc<Api>>) -> Answer {
    ready(&api.host).map_err(Problem::busy)?;
    Ok(page(StatusCode::OK, &json!({ "status": "ready" })))
}

async fn metrics(State(api): State<Arc<Api>>) -> Answer {
    let mut sheet = telemetry::of_process();
    api.host.pipelines().unwrap_or_default().iter().for_each(|pipeline| pipeline.tell(&mut sheet));
    let mut response = Response::new(Body::from(telemetry::text(sheet)?));
    let kind = HeaderValue::from_static(telemetry::CONTENT_TYPE);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

async fn description() -> Response {
    let mut response = Response::new(Body::from(DESCRIPTION));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn pipelines(State(api): State<Arc<Api>>) -> Answer {
    let is_ending = api.host.stops();
    let all = api.pipelines()?.iter().map(|one| pages::pipeline(&**one, is_ending));
    Ok(page(StatusCode::OK, &json!({ "pipelines": all.collect::<Vec<_>>() })))
}

async fn pipeline(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Answer {
    let pipeline = api.pipeline(&name)?;
    Ok(page(StatusCode::OK, &pages::pipeline(&*pipeline, api.host.stops())))
}

async fn releases(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Answer {
    let pipeline = api.pipeline(&name)?;
    let status = api.long(move || pipeline.status()).await?;
    Ok(page(StatusCode::OK, &status.json()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    last: Option<usize>,
}

async fn history(State(api): State<Arc<Api>>, Path(name): Path<String>, uri: Uri) -> Answer {
    let pipeline = api.pipeline(&name)?;
    let last = query::<Last>(&uri)?.last.unwrap_or(LAST);
    if !(1..=LAST_AT_MOST).contains(&last) {
        return Err(Problem::wrong(format!("last: {last} is not between 1 and {LAST_AT_MOST}")));
    }
    let events: Vec<Event> = api.long(move || pipeline.history(last)).await?;
    Ok(page(StatusCode::OK, &json!({ "events": events })))
}

async fn proposal(State(api): State<Arc<Api>>, Path((name, ticket)): Path<(String, String)>) -> Answer {
    let pipeline = api.pipeline(&name)?;
    let found = ticket.parse().ok().and_then(|ticket: Ticket| Some((ticket, pipeline.outcome(ticket)?)));
    let none = || Problem::missing(format!("there is no proposal {ticket:?}, or not any more"));
    let (ticket, outcome) = found.ok_or_else(none)?;
    Ok(page(StatusCode::OK, &pages::proposal(ticket, &outcome)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    wait: Option<u64>,
    #[serde(default)]
    why: String,
    bootstrap: Option<Start>,
}

async fn put_file(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    put_stage(&api, &caller, (&name, &stage), &uri, &headers, body).await
}

async fn put_features(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path((name, stage)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    put_stage(&api, &caller, (&name, &format!("features/{stage}")), &uri, &headers, body).await
}

async fn put_stage(
    api: &Api,
    caller: &Caller,
    (name, stage): (&str, &str),
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Answer {
    let pipeline = api.pipeline(name)?;
    let role = pipeline.role(stage);
    let role = role.ok_or_else(|| Problem::missing(format!("{name} has no stage {stage:?} with a file")))?;
    let Put { wait, why, bootstrap } = query(uri)?;
    let (wait, change) = (patience(wait)?, change(caller, why)?);
    let signature = signed(headers)?;
    let limit = if role == Role::Model { MODEL_BYTES } else { PLUGIN_BYTES };
    body::announced(headers, limit)?;
    let (to, mut pieces) = body::pipe();
    let bootstrap = bootstrap.map(|from| from.history().ok_or_else(no_history)).transpose()?;
    let file = NewFile { role, signature, bootstrap };
    let proposed = {
        let pipeline = Arc::clone(&pipeline);
        api.long(move || {
            let proposed = pipeline.put(file, &mut pieces, &change);
            tell(&*pipeline, &change, &format!("another file for {role}"), &proposed);
            proposed
        })
    };
    let (fed, proposed) = tokio::join!(body::feed(body, limit, to), proposed);
    let ticket = fed.and(proposed)?;
    settled(api, &*pipeline, ticket, wait).await
}

fn no_history() -> Problem {
    Problem::wrong("bootstrap: from \"latest\" on there is no history".to_owned())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    wait: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Back {
    to: Option<u64>,
    #[serde(default)]
    why: String,
}

async fn roll_back(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let pipeline = api.pipeline(&name)?;
    let wait = patience(query::<Wait>(&uri)?.wait)?;
    body::announced(&headers, body::SMALL as u64)?;
    let Back { to, why } = document(&headers, &body::small(body).await?)?;
    let change = change(&caller, why)?;
    let ticket = {
        let pipeline = Arc::clone(&pipeline);
        let work = move || {
            let proposed = pipeline.roll_back(to, &change);
            let what = to.map_or_else(|| "the release before".to_owned(), |to| format!("release {to}"));
            tell(&*pipeline, &change, &what, &proposed);
            proposed
        };
        api.long(work).await?
    };
    settled(&api, &*pipeline, ticket, wait).await
}

/// Each change is told with who wanted it, also if they are gone meanwhile.
fn tell(pipeline: &dyn Pipeline, change: &Change, what: &str, proposed: &Result<Ticket>) {
    let (pipeline, Change { by, why }) = (pipeline.name(), change);
    match proposed {
        Ok(ticket) => info!(pipeline, by, why, %ticket, "proposed over the admin API: {what}"),
        Err(error) => {
            warn!(pipeline, by, why, "refused to propose over the admin API: {what}: {} {error}", error.code);
        }
    }
}

/// What became of a proposal, after a while.
async fn settled(api: &Api, pipeline: &dyn Pipeline, ticket: Ticket, wait: Duration) -> Answer {
    let began = Instant::now();
    loop {
        // Until it is read back, nobody knows it.
        let outcome = pipeline.outcome(ticket).unwrap_or(Outcome::Waits);
        match &outcome {
            Outcome::Refused(refusal) => {
                let code = Code::parse(&refusal.code).unwrap_or(Code::ReleaseFailed);
                let text = format!("{} refuses proposal {ticket}: {}", refusal.by, refusal.message);
                return Err(Error::new(code, text).into());
            }
            Outcome::Runs(_) => return Ok(page(StatusCode::OK, &pages::proposal(ticket, &outcome))),
            Outcome::Waits | Outcome::Released(_) => {}
        }
        if began.elapsed() >= wait || api.host.stops() {
            let mut response = page(StatusCode::ACCEPTED, &pages::proposal(ticket, &outcome));
            let place = format!("/v1/pipelines/{}/proposals/{ticket}", pipeline.name());
            // A pipeline's name is of plain letters.
            if let Ok(place) = HeaderValue::try_from(place) {
                response.headers_mut().insert(header::LOCATION, place);
            }
            return Ok(response);
        }
        sleep(LOOK).await;
    }
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let query = Query::try_from_uri(uri);
    query
        .map(|Query(query)| query)
        .map_err(|error| Problem::wrong(format!("the query: {}", error.body_text())))
}

fn patience(seconds: Option<u64>) -> Result<Duration, Problem> {
    let wait = Duration::from_secs(seconds.unwrap_or_default());
    let text = || format!("wait: {} is more than {} seconds", wait.as_secs(), WAIT.as_secs());
    if wait > WAIT { Err(Problem::wrong(text())) } else { Ok(wait) }
}

fn change(caller: &Caller, why: String) -> Result<Change, Problem> {
    if why.chars().count() > WHY {
        return Err(Problem::wrong(format!("why: it has more than {WHY} characters")));
    }
    Ok(Change { by: caller.by(), why })
}

/// A document of JSON, or nothing at all.
fn document<T: DeserializeOwned + Default>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    let kind = headers.get(header::CONTENT_TYPE);
    if bytes.is_empty() && kind.is_none() {
        return Ok(T::default());
    }
    let essence = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default().split(';').next();
    if !essence.unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let (status, text) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is to be application/json");
        return Err(Problem::new(status, Code::RequestBody, text));
    }
    serde_json::from_slice(bytes).map_err(|error| Problem::wrong(format!("the body: {error}")))
}

fn signed(headers: &HeaderMap) -> Result<Option<[u8; 64]>, Problem> {
    let Some(value) = headers.get(SIGNATURE) else { return Ok(None) };
    let text = || format!("{SIGNATURE}: is no signature of ed25519 in base64");
    signature(value.as_bytes()).map(Some).ok_or_else(|| Problem::wrong(text()))
}
