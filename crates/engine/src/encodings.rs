//! Text in the encodings of the web, for `TextDecoder`.

use encoding_rs::{CoderResult, Decoder, DecoderResult, Encoding};
use rquickjs::{Ctx, Function, Object, Result, function::MutFn};

use super::hexadecimal::unhex;

/// Gives `host` what `TextDecoder` asks for. Bytes come as hexadecimal text: the binding lends its buffers as `unsafe` only.
pub(super) fn add<'js>(context: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    // The name of the encoding that a label means; nothing can be decoded as the one that only replaces.
    let encoding_of = |label: String| {
        let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
        Some(encoding.name().to_ascii_lowercase())
    };
    host.set("encodingOf", Function::new(context.clone(), encoding_of)?)?;
    let decoder = |context: Ctx<'js>, name: String, fatal: bool, keeps_mark: bool| {
        let encoding = Encoding::for_label(name.as_bytes()).unwrap_or(encoding_rs::UTF_8);
        let mut decoder = if keeps_mark {
            encoding.new_decoder_without_bom_handling()
        } else {
            encoding.new_decoder_with_bom_removal()
        };
        // One decoder for one text, whose bytes may come in parts. `None` if they are not of the encoding and that is fatal.
        let decode =
            move |hexadecimal: String, is_last: bool| decoded(&mut decoder, &unhex(&hexadecimal), is_last, fatal);
        Function::new(context, MutFn::from(decode))
    };
    host.set("newDecoder", Function::new(context.clone(), decoder)?)
}

fn decoded(decoder: &mut Decoder, bytes: &[u8], is_last: bool, fatal: bool) -> Option<String> {
    let room = if fatal {
        decoder.max_utf8_buffer_length_without_replacement(bytes.len())?
    } else {
        decoder.max_utf8_buffer_length(bytes.len())?
    };
    let mut text = String::with_capacity(room);
    if fatal {
        let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, is_last);
        return (result == DecoderResult::InputEmpty).then_some(text);
    }
    let (result, _, _) = decoder.decode_to_string(bytes, &mut text, is_last);
    (result == CoderResult::InputEmpty).then_some(text)
}
