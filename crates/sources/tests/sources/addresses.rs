//! Specifiers are addresses.

use crate::support::{Repository, Result, sources};

#[tokio::test]
async fn queries_fragments_and_escapes_name_the_file_that_an_address_names() -> Result {
    let repository = Repository::new(
        r#"
//- /.swamp.yaml
repoId: x
//- /deno.json
{ "imports": { "@/": "./extensions/models/_lib/" } }
//- /extensions/models/a.ts
import "./_lib/plain.ts?rev=2"; import "./_lib/plain.ts#part"; import "./_lib/with%20space.ts"; import "./_lib/with space.ts?x#y";
import "./_lib/h%23x.ts"; import "./_lib/p%25q.ts"; import "./_lib/%C3%BC.ts"; import "./%5Flib/%61c.ts"; import "@/mapped.ts?z";
import "./_lib/x/%2e%2e/up.ts"; import "./_lib%2Fencoded.ts"; import "./_lib/%ff.ts"; import "./_lib/empty.ts?"; import "./_lib/gone.ts?plain.ts"; import "../../../out%20side.ts";
export const model = {};
//- /extensions/models/_lib/plain.ts
//- /extensions/models/_lib/with space.ts
//- /extensions/models/_lib/h#x.ts
//- /extensions/models/_lib/p%q.ts
//- /extensions/models/_lib/ü.ts
//- /extensions/models/_lib/ac.ts
//- /extensions/models/_lib/mapped.ts
//- /extensions/models/_lib/encoded.ts
//- /extensions/models/_lib/empty.ts
//- /extensions/models/_lib/up.ts
"#,
    )?;
    let survey = repository.survey().await?;
    insta::assert_snapshot!(sources(&survey, "extensions/models/a.ts").join("\n"), @r#"
    extensions/models/_lib/ac.ts
    extensions/models/_lib/empty.ts
    extensions/models/_lib/encoded.ts
    extensions/models/_lib/h#x.ts
    extensions/models/_lib/mapped.ts
    extensions/models/_lib/p%q.ts
    extensions/models/_lib/plain.ts
    extensions/models/_lib/up.ts
    extensions/models/_lib/with space.ts
    extensions/models/_lib/ü.ts
    extensions/models/a.ts
    extensions/models/a.ts -> ../../../out%20side.ts outside
    extensions/models/a.ts -> ./_lib/%ff.ts missing
    extensions/models/a.ts -> ./_lib/gone.ts?plain.ts missing
    "#);
    Ok(())
}
