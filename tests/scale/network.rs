//! Two nodes and what they share, each in a network of its own.
//!
//! ```text
//! node 1  10.77.1.2 ── 10.77.1.1 ┐
//!                                ├ 10.77.0.1  PostgreSQL, S3
//! node 2  10.77.2.2 ── 10.77.2.1 ┘ 10.77.0.2  registry of packages
//! ```

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use mangrove_testkit::namespaces::Namespace;

/// Where the database and the bucket are.
pub(crate) const SHARED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Where the registry is.
pub(crate) const REGISTRY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// An address of nobody: what is sent to it is lost.
const NOBODY: &str = "lladdr 02:00:00:00:00:77 nud permanent";

/// The networks.
pub(crate) struct Network {
    shared: Namespace,
    nodes: [Namespace; 2],
}

impl Network {
    /// `None` where networks cannot be made.
    pub(crate) fn create() -> Option<Self> {
        let [shared, one, two] = ["shared", "one", "two"].map(Namespace::create);
        let network = Self { shared: shared?, nodes: [one?, two?] };
        network.shared.loopback("up");
        for address in [SHARED, REGISTRY] {
            network.shared.ip(&format!("addr add {address}/32 dev lo"));
        }
        for (node, number) in network.nodes.iter().zip(1..) {
            node.loopback("up");
            network.shared.ip(&format!("link add node{number} type veth peer name uplink netns {}", node.name()));
            network.shared.ip(&format!("addr add 10.77.{number}.1/24 dev node{number}"));
            network.shared.ip(&format!("link set node{number} up"));
            node.ip(&format!("addr add 10.77.{number}.2/24 dev uplink"));
            node.ip("link set uplink up");
            node.ip(&format!("route add 10.77.0.0/24 via 10.77.{number}.1"));
        }
        Some(network)
    }

    /// What both nodes reach.
    pub(crate) const fn shared(&self) -> &Namespace {
        &self.shared
    }

    /// The network of node 1 or 2.
    pub(crate) fn node(&self, number: usize) -> &Namespace {
        &self.nodes[number - 1]
    }

    /// A port of what both nodes reach.
    pub(crate) fn listener(&self, address: Ipv4Addr, port: u16) -> TcpListener {
        self.shared.enter(|| TcpListener::bind(SocketAddr::from((address, port))).expect("a port"))
    }

    /// Pulls the cable of a node.
    pub(crate) fn cut(&self, number: usize) {
        self.shared.ip(&format!("link set node{number} down"));
    }

    /// Plugs it in again.
    pub(crate) fn join(&self, number: usize) {
        self.shared.ip(&format!("link set node{number} up"));
    }

    /// From now on whatever a node sends, and whatever is sent to it, is lost: nothing is refused, and nothing answers.
    pub(crate) fn lose_packets(&self, number: usize) {
        self.shared.ip(&format!("neigh replace 10.77.{number}.2 {NOBODY} dev node{number}"));
        self.node(number).ip(&format!("neigh replace 10.77.{number}.1 {NOBODY} dev uplink"));
    }

    /// They arrive again.
    pub(crate) fn deliver_packets(&self, number: usize) {
        self.shared.ip(&format!("neigh del 10.77.{number}.2 dev node{number}"));
        self.node(number).ip(&format!("neigh del 10.77.{number}.1 dev uplink"));
    }
}
