//! The mocks of the ports are there and count calls (`cargo test -p mangrove-domain --features mocks`).
#![cfg(feature = "mocks")]

use mangrove_domain::{
    ports::{
        Bundler, Clock,
        mocks::{MockBundler, MockClock},
    },
    time::Timestamp,
};

#[test]
fn a_mock_answers_as_often_as_it_was_told() {
    let mut clock = MockClock::new();
    clock.expect_now().times(1).return_const(Timestamp::from_millis(5));
    assert_eq!(clock.now(), Timestamp::from_millis(5));

    let mut bundler = MockBundler::new();
    bundler.expect_bundle().never();
    let bundler: Box<dyn Bundler> = Box::new(bundler);
    drop(bundler);
}
