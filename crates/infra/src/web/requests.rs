//! The requests of one session that are under way.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use mangrove_domain::permission::Grantee;
use mangrove_engine::{WebEvent, WebOrder, WebRequest};
use tokio::{
    sync::{Notify, Semaphore, mpsc},
    task::{AbortHandle, JoinSet},
};

use super::WebClient;

/// How many requests of one session wait for the beginning of an answer at once; others wait for their turn.
const MOST_WAITING: usize = 32;
/// How long the bodies of the requests of one session that are open may be together, in bytes.
const MOST_BODY_BYTES: usize = 64 << 20;
/// How many requests of one session are open at once, those whose bodies nobody has read to their end among them.
const MOST_OPEN: usize = 256;

/// Carries out orders and says what becomes of them. Dropping it gives up what is under way.
pub(crate) struct Requests {
    sender: Option<Arc<Sender>>,
    open: HashMap<u32, Open>,
    tasks: JoinSet<()>,
    events: mpsc::UnboundedReceiver<(u32, WebEvent)>,
}

struct Open {
    task: AbortHandle,
    /// The length of its own body.
    body_bytes: usize,
    /// Told whenever the next part of the body is wanted.
    wanted: Arc<Notify>,
}

/// What the tasks of a session share.
struct Sender {
    client: Arc<WebClient>,
    grantee: Grantee,
    turns: Semaphore,
    is_sent: AtomicBool,
    events: mpsc::UnboundedSender<(u32, WebEvent)>,
}

impl Requests {
    /// Those of a session that runs on this grantee's behalf. Without a client there are none.
    pub(crate) fn new(client: Option<Arc<WebClient>>, grantee: Grantee) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let sender = client.map(|client| {
            let turns = Semaphore::new(MOST_WAITING);
            Arc::new(Sender { client, grantee, turns, is_sent: AtomicBool::new(false), events: sender })
        });
        Self { sender, open: HashMap::new(), tasks: JoinSet::new(), events }
    }

    /// Those of a job, which has none.
    pub(crate) fn none() -> Self {
        Self { sender: None, open: HashMap::new(), tasks: JoinSet::new(), events: mpsc::unbounded_channel().1 }
    }

    /// Carries out an order. Needs a tokio runtime.
    pub(crate) fn take(&mut self, order: WebOrder) {
        while self.tasks.try_join_next().is_some() {}
        match order {
            WebOrder::Begin(number, request) => self.begin(number, request),
            WebOrder::Read(number) => {
                if let Some(open) = self.open.get(&number) {
                    open.wanted.notify_one();
                }
            }
            WebOrder::Stop(number) => {
                if let Some(open) = self.open.remove(&number) {
                    open.task.abort();
                }
            }
        }
    }

    fn begin(&mut self, number: u32, request: WebRequest) {
        let Some(sender) = &self.sender else { return };
        self.open.retain(|_, open| !open.task.is_finished());
        let body_bytes = request.body.as_ref().map_or(0, Vec::len);
        let all_bytes = self.open.values().map(|open| open.body_bytes).sum::<usize>().saturating_add(body_bytes);
        let much = if self.open.len() >= MOST_OPEN {
            Some(format!("{MOST_OPEN} requests are open"))
        } else {
            (all_bytes > MOST_BODY_BYTES).then(|| format!("the bodies of open requests have {all_bytes} bytes"))
        };
        if let Some(much) = much {
            let message =
                format!("fetch failed: {much}, which is too much; read or cancel the bodies of their answers");
            let _ = sender.events.send((number, WebEvent::Failed { message, cause: None }));
            return;
        }
        let wanted = Arc::new(Notify::new());
        let task = self.tasks.spawn(carry_out(Arc::clone(sender), number, request, Arc::clone(&wanted)));
        self.open.insert(number, Open { task, body_bytes, wanted });
    }

    /// What became of a request. Never returns where there are none. May be given up without losing anything.
    pub(crate) async fn next(&mut self) -> (u32, WebEvent) {
        let Some((number, event)) = self.events.recv().await else { return std::future::pending().await };
        if !matches!(event, WebEvent::Head(_) | WebEvent::Chunk(_)) {
            self.open.remove(&number);
        }
        (number, event)
    }

    /// True if something was sent since this was asked last.
    pub(crate) fn take_sent(&self) -> bool {
        self.sender.as_ref().is_some_and(|sender| sender.is_sent.swap(false, Ordering::Relaxed))
    }

    /// True if nothing is under way, nor an answer that is not read to its end.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Gives up what is under way: the call has ended. Nothing is sent afterwards.
    pub(crate) async fn end(&mut self) {
        self.tasks.shutdown().await;
        self.open.clear();
        while self.events.try_recv().is_ok() {}
    }
}

async fn carry_out(sender: Arc<Sender>, number: u32, request: WebRequest, wanted: Arc<Notify>) {
    let tell = |event| sender.events.send((number, event)).is_ok();
    let fetched = {
        let _turn = sender.turns.acquire().await;
        sender.client.fetch(&sender.grantee, request, &sender.is_sent).await
    };
    let mut answer = match fetched {
        Ok(answer) => answer,
        Err(event) => {
            tell(event);
            return;
        }
    };
    if !tell(WebEvent::Head(answer.head.clone())) {
        return;
    }
    loop {
        wanted.notified().await;
        let event = match answer.body.part().await {
            Ok(Some(part)) => WebEvent::Chunk(part),
            Ok(None) => WebEvent::End,
            Err(event) => event,
        };
        let is_over = !matches!(event, WebEvent::Chunk(_));
        if !tell(event) || is_over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mangrove_domain::{
        permission::{Grant, Grants, Permission},
        source::RootId,
    };
    use mangrove_engine::Redirect;
    use mangrove_testkit::web_server::WebServer;

    use super::*;

    fn requests() -> Requests {
        let grantee = Grantee {
            name: "@acme/a".to_owned(),
            root: RootId::local(),
            grants: Grants::from([(Permission::Net, Grant::All)]),
            variables: BTreeMap::new(),
        };
        Requests::new(Some(Arc::new(WebClient::new(&BTreeMap::new()))), grantee)
    }

    fn silent(server: &WebServer) -> WebRequest {
        WebRequest {
            method: "POST".to_owned(),
            url: format!("{}/silent", server.url()),
            headers: Vec::new(),
            body: None,
            redirect: Redirect::Follow,
        }
    }

    async fn refused(requests: &mut Requests) -> String {
        match requests.next().await {
            (_, WebEvent::Failed { message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_is_open_at_once_is_bounded() {
        let server = WebServer::start().unwrap();
        let mut many = requests();
        for number in 0..=256 {
            many.take(WebOrder::Begin(number, silent(&server)));
        }
        let message = refused(&mut many).await;
        assert!(message.contains("256 requests are open"), "{message}");
        many.take(WebOrder::Stop(0));
        many.take(WebOrder::Begin(257, silent(&server)));
        many.take(WebOrder::Begin(258, silent(&server)));
        assert!(matches!(many.next().await, (258, WebEvent::Failed { .. })), "one that was given up made room");

        let mut long = requests();
        for number in 1..=2 {
            long.take(WebOrder::Begin(number, WebRequest { body: Some(vec![0; 40 << 20]), ..silent(&server) }));
        }
        let message = refused(&mut long).await;
        assert!(message.contains("the bodies of open requests have 83886080 bytes"), "{message}");
    }

    #[tokio::test]
    async fn headers_without_end_are_refused() {
        let server = WebServer::start().unwrap();
        let mut requests = requests();
        let headers = (0..40_000).map(|at| (format!("x-{at}"), "a".to_owned())).collect();
        requests.take(WebOrder::Begin(1, WebRequest { headers, ..silent(&server) }));
        let message = refused(&mut requests).await;
        assert!(message.contains("too many headers"), "{message}");
        assert!(!requests.take_sent(), "nothing was sent");
    }
}
