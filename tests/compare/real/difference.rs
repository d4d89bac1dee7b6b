//! Where two JSON values differ.

use serde_json::Value;

/// A value that is longer than this is shown by its beginning.
const SHOWN: usize = 160;

/// One sentence for each place at which `ours` is not what Deno has; the order of members counts.
pub(crate) fn differences(place: &str, deno: &Value, ours: &Value) -> Vec<String> {
    match (deno, ours) {
        (Value::Object(deno), Value::Object(ours)) => {
            let mut found = Vec::new();
            for (name, value) in deno {
                let place = format!("{place}.{name}");
                match ours.get(name) {
                    Some(other) => found.extend(differences(&place, value, other)),
                    None => found.push(format!("{place}: Deno has {}, here is nothing", shown(value))),
                }
            }
            let more = ours.iter().filter(|(name, _)| !deno.contains_key(*name));
            found.extend(more.map(|(name, value)| format!("{place}.{name}: only here, {}", shown(value))));
            if found.is_empty() && !deno.keys().eq(ours.keys()) {
                found.push(format!("{place}: its members stand in another order"));
            }
            found
        }
        (Value::Array(deno), Value::Array(ours)) => {
            let both = deno.iter().zip(ours).enumerate();
            let mut found: Vec<String> =
                both.flat_map(|(index, (deno, ours))| differences(&format!("{place}[{index}]"), deno, ours)).collect();
            if deno.len() != ours.len() {
                found.push(format!("{place}: Deno has {} items, here are {}", deno.len(), ours.len()));
            }
            found
        }
        // 1 and 1.0 are one number in JavaScript.
        (Value::Number(deno), Value::Number(ours)) if deno.as_f64() == ours.as_f64() => Vec::new(),
        (deno, ours) if deno == ours => Vec::new(),
        (deno, ours) => vec![format!("{place}: Deno has {}, here is {}", shown(deno), shown(ours))],
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    let mut begin: String = text.chars().take(SHOWN).collect();
    if begin.len() < text.len() {
        begin.push('…');
    }
    begin
}
