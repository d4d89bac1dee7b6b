//! What the prelude's `fetch` asks of the host, and how it is told what became of its requests.

use std::sync::{Arc, Mutex};

use rquickjs::{Ctx, Function, Object, Result, TypedArray};

use super::{
    hexadecimal::unhex,
    natives::{Ledger, locked},
    web::{Redirect, WebEvent, WebOrder, WebRequest},
};

/// Gives `host` its functions for requests.
pub(super) fn add<'js>(context: &Ctx<'js>, host: &Object<'js>, ledger: &Arc<Mutex<Ledger>>) -> Result<()> {
    let notes = ledger.clone();
    host.set("webIsThere", Function::new(context.clone(), move || locked(&notes).web.is_some())?)?;
    let notes = ledger.clone();
    let begin = move |number: u32,
                      method: String,
                      url: String,
                      headers: Vec<String>,
                      redirect: String,
                      body: Option<String>| {
        let request = WebRequest {
            method,
            url,
            headers: headers.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
            body: body.map(|hexadecimal| unhex(&hexadecimal)),
            redirect: match redirect.as_str() {
                "manual" => Redirect::Manual,
                "error" => Redirect::Error,
                _ => Redirect::Follow,
            },
        };
        order(&notes, number, true, WebOrder::Begin(number, request));
    };
    host.set("webBegin", Function::new(context.clone(), begin)?)?;
    let notes = ledger.clone();
    let read = move |number: u32| order(&notes, number, true, WebOrder::Read(number));
    host.set("webRead", Function::new(context.clone(), read)?)?;
    let notes = ledger.clone();
    let stop = move |number: u32| order(&notes, number, false, WebOrder::Stop(number));
    host.set("webStop", Function::new(context.clone(), stop)?)
}

fn order(ledger: &Mutex<Ledger>, number: u32, is_answered: bool, order: WebOrder) {
    let web = {
        let mut ledger = locked(ledger);
        if is_answered {
            ledger.awaited_requests.insert(number);
        } else {
            ledger.awaited_requests.remove(&number);
        }
        ledger.web.clone()
    };
    if let Some(web) = web {
        web.give(order);
    }
}

/// Tells the prelude what became of a request.
pub(super) fn tell<'js>(
    context: &Ctx<'js>,
    kit: &Object<'js>,
    ledger: &Mutex<Ledger>,
    number: u32,
    event: WebEvent,
) -> Result<()> {
    {
        let mut ledger = locked(ledger);
        ledger.awaited_requests.remove(&number);
        if let WebEvent::Refused(host) = &event
            && !ledger.refused_hosts.contains(host)
        {
            ledger.refused_hosts.push(host.clone());
        }
    }
    let arrived: Function = kit.get("webArrived")?;
    let (kind, text, part) = match event {
        WebEvent::Head(head) => {
            let json = serde_json::json!({
                "url": head.url, "status": head.status, "statusText": head.status_text, "headers": head.headers,
                "redirected": head.redirected,
            });
            ("head", Some(json.to_string()), None)
        }
        WebEvent::Chunk(bytes) => ("chunk", None, Some(TypedArray::<u8>::new(context.clone(), bytes)?)),
        WebEvent::End => ("end", None, None),
        WebEvent::Refused(host) => ("refused", Some(host), None),
        WebEvent::Failed { message, cause } => {
            let json = match cause {
                Some(cause) => serde_json::json!({ "message": message, "cause": cause }),
                None => serde_json::json!({ "message": message }),
            };
            ("failed", Some(json.to_string()), None)
        }
        WebEvent::Lacking(name) => ("lacking", Some(name), None),
    };
    arrived.call((number, kind, text, part))
}
