use std::sync::Arc;

use mangrove_domain::{
    json::{Json, Number},
    ports::{Call, Takes},
    shape::Shape,
};
use proptest::prelude::*;

use super::*;

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::from),
        (-1e300..1e300_f64).prop_map(|value| Json::Number(Number::Float(value))),
        ".*".prop_map(Json::String),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Json::Array),
            prop::collection::vec((".{0,5}", inner), 0..8).prop_map(Json::Object),
        ]
    })
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Undefined),
        Just(Shape::Function),
        Just(Shape::Truncated),
        json().prop_map(|json_schema| Shape::Schema { json_schema }),
        ".*".prop_map(|message| Shape::Threw { message }),
        any::<i64>().prop_map(|value| Shape::Number(Number::Integer(value))),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Shape::Array),
            prop::collection::vec((".{0,5}", inner), 0..4).prop_map(Shape::Object),
        ]
    })
}

proptest! {
    #[test]
    fn json_survives_the_wire(json in json()) {
        let bytes = frame(&Value::from(&json)).unwrap();
        prop_assert_eq!(message::<Value>(&bytes[4..]).unwrap().into_json().unwrap(), json);
    }

    #[test]
    fn inspections_survive_the_wire(shape in shape(), touched in prop::collection::vec(".*", 0..3)) {
        let inspection = Inspection { export: Some((Arc::from("model"), shape)), touched, notes: vec!["n".to_owned()] };
        prop_assert_eq!(decode_inspection(&encode_inspection(&inspection).unwrap()).unwrap(), inspection);
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_inspection(&bytes);
        let _ = message::<Value>(&bytes).map(Value::into_shape);
        let _ = message::<Request<'_>>(&bytes);
        let _ = message::<Reply>(&bytes);
    }
}

fn nested(depth: usize) -> Json {
    (0..depth).fold(Json::Null, |inner, _| Json::Array(vec![inner]))
}

#[test]
fn values_that_are_nested_too_deep_are_refused() {
    assert!(Value::from(&nested(MAX_DEPTH)).into_json().is_ok());
    assert!(matches!(Value::from(&nested(MAX_DEPTH + 1)).into_json(), Err(WireError::TooDeep)));
}

#[test]
fn a_promise_of_many_members_reserves_no_memory() {
    // One array token that promises four billion items.
    let bytes = [1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f];
    assert!(matches!(message::<Value>(&bytes).unwrap().into_json(), Err(WireError::Value(_))));
}

#[test]
fn a_truncated_frame_is_an_error() {
    let bytes = frame(&Reply::Panicked("x".to_owned())).unwrap();
    for end in 0..bytes.len() {
        assert!(read_frame_blocking(&mut &bytes[..end]).is_err(), "{end}");
    }
    assert_eq!(read_frame_blocking(&mut &bytes[..]).unwrap(), bytes[4..]);
}

#[test]
fn an_oversized_frame_is_refused_before_it_is_read() {
    let error = read_frame_blocking(&mut &u32::MAX.to_le_bytes()[..]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn calls_and_their_ends_are_known_by_their_first_byte() {
    let body = |request: &Request<'_>| frame(request).expect("it fits")[4..].to_vec();
    let cancel = body(&Request::Cancel);
    assert!(is_cancel(&cancel) && !is_call(&cancel));
    let others = [
        Request::Close,
        Request::Configure { memory_limit_bytes: 1 },
        Request::HostAnswer(Ok(Value::from(&Json::Null))),
    ];
    for other in others {
        let body = body(&other);
        assert!(!is_cancel(&body) && !is_call(&body), "{other:?}");
    }
    let call = Call {
        path: Vec::new(),
        arguments: Json::Null,
        schema: Vec::new(),
        context: Json::Null,
        global_schema: Vec::new(),
        takes: Takes::default(),
    };
    assert!(is_call(&body(&Request::Call(WireCall::from(&call)))));
}
