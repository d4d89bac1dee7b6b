//! What can be asked of a running daemon.

use mangrove_domain::problem::Problem;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    event::{Event, Request, ScanAnswer, ScanFailed, ScanOptions},
    schedule::SchedulerView,
    status::Status,
};

/// What can be asked of a running daemon; cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    pub(crate) sender: mpsc::Sender<Event>,
    pub(crate) status: watch::Receiver<Status>,
}

impl Control {
    /// How the daemon is, now and later.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Scans everything and waits for the end of it.
    ///
    /// # Errors
    /// [`ScanFailed`].
    pub async fn scan(&self, options: ScanOptions) -> ScanAnswer {
        let (sender, answer) = oneshot::channel();
        self.request(Request::Scan(options, sender)).await;
        answer.await.unwrap_or(Err(ScanFailed::Stopping))
    }

    /// How its schedules are; `None` if it has ended.
    pub async fn schedules(&self) -> Option<SchedulerView> {
        let (sender, answer) = oneshot::channel();
        self.request(Request::Schedules(sender)).await;
        answer.await.ok()
    }

    /// Reads the configuration again. Gives what is wrong with it; then the old one stays in force.
    pub async fn reload(&self) -> Vec<Problem> {
        let (sender, answer) = oneshot::channel();
        self.request(Request::Reload(sender)).await;
        answer.await.unwrap_or_default()
    }

    /// Asks it to end: it takes nothing new, and what runs may go on for the grace. Asked a second time, it ends now.
    pub async fn stop(&self) {
        self.request(Request::Stop).await;
    }

    /// Asks it to end now: what runs is cancelled.
    pub async fn stop_now(&self) {
        self.request(Request::StopNow).await;
    }

    async fn request(&self, request: Request) {
        // It may have ended.
        let _ = self.sender.send(Event::Request(request)).await;
    }
}
