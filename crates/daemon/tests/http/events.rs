//! Streams of events.

use axum::{
    body::{Body, BodyDataStream},
    http::{Method, StatusCode, header},
};
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::world::{World, request, within};

/// One event as a client reads it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

/// A stream that a client reads.
pub(crate) struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Stream {
    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        within(self.read()).await
    }

    async fn read(&mut self) -> Option<Told> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let lines = event.lines().filter_map(|line| line.strip_prefix(&format!("{name}: ")));
                    lines.map(str::to_owned).next()
                };
                // A sign of life is no event.
                let Some(name) = field("event") else { continue };
                let data = serde_json::from_str(&field("data").expect("data")).expect("JSON");
                return Some(Told { name, id: field("id"), data });
            }
            let bytes = self.body.next().await?.expect("a piece");
            self.text.push_str(std::str::from_utf8(&bytes).expect("text"));
        }
    }

    pub(crate) async fn take(&mut self, count: usize) -> Vec<Told> {
        let mut told = Vec::new();
        while told.len() < count {
            told.push(self.next().await.expect("more events"));
        }
        told
    }

    pub(crate) async fn rest(mut self) -> Vec<Told> {
        let mut told = Vec::new();
        while let Some(event) = self.next().await {
            told.push(event);
            assert!(told.len() < 10_000, "it never ends");
        }
        told
    }
}

pub(crate) async fn follow(world: &World, path: &str, headers: &[(&str, &str)]) -> Stream {
    let mut request = request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = world.respond(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    Stream { body: response.into_body().into_data_stream(), text: String::new() }
}

fn names(told: &[Told]) -> Vec<&str> {
    told.iter().map(|event| event.name.as_str()).collect()
}

#[tokio::test]
async fn transitions_and_runs_are_told_as_they_happen_and_a_client_goes_on_where_it_was() {
    let world = World::new().await;
    let beginning = [("last-event-id", "1767225600000-0")];
    let mut stream = follow(&world, "/api/v1/events", &beginning).await;
    assert_eq!(names(&stream.take(2).await), ["transition", "transition"], "the first scan");
    world.sources.write("models/more.ts", "type @acme/more\nexport model\n");
    world.scan().await;
    let mut told = stream.take(1).await;
    let transition = &told[0].data;
    assert_eq!((&transition["path"], &transition["to"]), (&json!("models/more.ts"), &json!("Indexed")));
    world.post("/api/v1/workflows/deploy/runs", "").await;
    told.extend(stream.take(2).await);
    assert_eq!(names(&told), ["transition", "run-started", "run-finished"]);
    drop(stream);

    let first = told[0].id.clone().expect("an identifier");
    let mut again = follow(&world, "/api/v1/events", &[("last-event-id", &first)]).await;
    assert_eq!(again.take(2).await, told[1..]);
    let mut by_parameter = follow(&world, &format!("/api/v1/events?lastEventId={first}"), &[]).await;
    assert_eq!(by_parameter.take(2).await, told[1..]);
    let mut runs = follow(&world, "/api/v1/events?only=run-finished", &[("last-event-id", "0-0")]).await;
    assert_eq!(names(&runs.take(2).await), ["gap", "run-finished"]);
}

#[tokio::test]
async fn a_client_of_another_daemon_is_told_that_it_has_missed_something() {
    let world = World::new().await;
    let mut stream = follow(&world, "/api/v1/events", &[("last-event-id", "12-34")]).await;
    let told = stream.take(1).await;
    assert_eq!((told[0].name.as_str(), &told[0].data), ("gap", &json!({"event": "gap", "missed": null})));
}

#[tokio::test]
async fn streams_end_when_the_daemon_stops() {
    let world = World::new().await;
    let stream = follow(&world, "/api/v1/events", &[]).await;
    world.post("/api/v1/workflows/deploy/runs", "").await;
    world.stopping.cancel();
    let told = stream.rest().await;
    assert!(told.len() <= 2, "{told:?}");
}

#[tokio::test]
async fn there_are_never_more_streams_than_allowed_and_a_place_is_free_again_when_one_ends() {
    let world = World::new().await;
    let mut streams = Vec::new();
    let refused = loop {
        let request = request(Method::GET, "/api/v1/events").body(Body::empty()).expect("a request");
        let response = world.respond(request).await;
        if response.status() != StatusCode::OK {
            break response;
        }
        streams.push(response);
    };
    assert_eq!((streams.len(), refused.status()), (128, StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    streams.pop();
    follow(&world, "/api/v1/events", &[]).await;
}
