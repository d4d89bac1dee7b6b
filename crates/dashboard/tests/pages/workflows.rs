//! The workflows, the page of one, and starting a run from its form.

use axum::{
    body::Body,
    http::{Method, StatusCode, header},
};
use mangrove_daemon::http::Access;
use mangrove_domain::ports::RunFilter;

use crate::world::{Answer, World, request};

/// The key that the form of this page has.
fn key(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("name=\"key\" value=\"").expect("a key");
    rest.split('"').next().expect("its end").to_owned()
}

async fn runs(world: &World) -> usize {
    world.service.runs(&RunFilter::default()).await.expect("a history").len()
}

#[tokio::test]
async fn workflows_are_listed_with_their_last_runs_and_searched() {
    let world = World::new().await;
    let page = world.look("/workflows").await;
    page.assert_tells("deploy Puts things where they belong never by hand");
    assert!(page.body.contains("aria-current=\"page\">Workflows"), "{page:?}");
    world.press("/workflows/deploy/runs", "").await;
    world.look("/workflows").await.assert_tells("succeeded just now");
    let found = world.look("/workflows?query=BELONG").await;
    found.assert_tells("deploy");
    assert!(!found.text().contains("slow"), "{found:?}");
    world.look("/workflows?query=nothing+like+it").await.assert_tells("No workflow fits.");
}

#[tokio::test]
async fn a_workflow_is_told_with_its_jobs_its_form_and_its_latest_runs() {
    let world = World::new().await;
    let page = world.look("/workflows/asked").await;
    page.assert_tells("zone required");
    page.assert_tells("A whole number; at least 1; empty for 2.");
    page.assert_tells("first look thing.work");
    page.assert_tells("second after first succeeded act thing.work");
    page.assert_tells("It has not run yet.");
    page.assert_tells("It does not run by a schedule.");
    assert!(page.body.contains("<svg class=\"graph\""), "{page:?}");
    assert!(page.body.contains("href=\"#step-2-1\"") && page.body.contains("id=\"step-2-1\""), "{page:?}");
    let by_identifier = world.look("/workflows/00000000-0000-4000-8000-000000000003").await;
    by_identifier.assert_tells("Puts things where they belong");
    let unknown = world.look("/workflows/deplyo").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    unknown.assert_tells("Did you mean deploy ?");
}

#[tokio::test]
async fn a_form_with_right_inputs_starts_a_run_and_leads_to_its_page() {
    let world = World::new().await;
    let answer = world.press("/workflows/asked/runs", "key=k&input.zone=eu&input.size=7").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let page = world.look(answer.header(header::LOCATION)).await;
    page.assert_tells("asked succeeded");
    page.assert_tells("Started by dashboard");
    page.assert_tells("{ &#34;zone&#34;: &#34;eu&#34;, &#34;size&#34;: 7 }");
    page.assert_tells("work begins");
}

#[tokio::test]
async fn a_form_with_wrong_inputs_comes_back_with_what_was_entered_and_nothing_runs() {
    let world = World::new().await;
    let answer = world.press("/workflows/asked/runs", "key=k&input.zone=&input.size=%3Cmany%3E").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    answer.assert_tells("Nothing was started. 2 inputs cannot be used.");
    answer.assert_tells("zone required is required");
    answer.assert_tells("expected integer, found &#34;&#60;many&#62;&#34;");
    assert!(answer.body.contains("name=\"input.size\" value=\"&#60;many&#62;\""), "{answer:?}");
    assert!(answer.body.contains("aria-invalid=\"true\""), "{answer:?}");
    assert_eq!(runs(&world).await, 0);
    // Whoever loads the answer again is led to the form.
    let again = world.send(request(Method::GET, "/workflows/asked/runs").body(Body::empty()).expect("a request")).await;
    assert_eq!(again.header(header::LOCATION), "/workflows/asked#start");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_starts_one_run_and_another_form_another() {
    let world = World::new().await;
    let key = key(&world.look("/workflows/asked").await);
    let press = async |key: &str, zone: &str| {
        let answer = world.press("/workflows/asked/runs", &format!("key={key}&input.zone={zone}&input.size=2")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        answer.header(header::LOCATION).to_owned()
    };
    let (one, two) = tokio::join!(press(&key, "a"), press(&key, "a"));
    assert_eq!((&one, press(&key, "a").await), (&two, one.clone()), "a double click, and a reload");
    assert_eq!(runs(&world).await, 1);
    assert_ne!(press(&key, "b").await, one, "other inputs, entered on the way back");
    assert_ne!(press("another", "a").await, one);
    assert_eq!(runs(&world).await, 3);
    let fresh = world.look("/workflows/asked").await;
    assert!(!fresh.body.contains(&format!("value=\"{key}\"")), "each form has its own key");
}

#[tokio::test]
async fn who_may_only_read_sees_a_form_that_cannot_be_sent() {
    let tokens = "wall read a-screen-on-the-wall\n";
    let world = World::with(Access::parse("tokens", tokens).expect("tokens")).await;
    let ask = async |method: Method, path: &str| {
        let request = request(method, path)
            .header(header::AUTHORIZATION, "Bearer a-screen-on-the-wall")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        world.send(request.body(Body::empty()).expect("a request")).await
    };
    let page = ask(Method::GET, "/workflows/deploy").await;
    assert!(page.body.contains("<button class=\"primary\" disabled>Run</button>"), "{page:?}");
    page.assert_tells("this needs “run”.");
    assert_eq!(ask(Method::POST, "/workflows/deploy/runs").await.status, StatusCode::FORBIDDEN);
    assert_eq!(runs(&world).await, 0);
}

#[tokio::test]
async fn a_workflow_that_cannot_be_run_is_shown_and_says_why() {
    let world = World::new().await;
    world.write(
        "workflows/twin.yaml",
        "id: 00000000-0000-4000-8000-0000000000aa\nname: deploy\njobs: [{name: a, steps: [{name: b, task: {type: workflow, \
         workflowIdOrName: slow}}]}]\n",
    );
    let page = world.look("/workflows/deploy").await;
    page.assert_tells("It cannot be run");
    page.assert_tells("neither can be used");
    assert!(page.body.contains("<button class=\"primary\" disabled>Run</button>"), "{page:?}");
    world.write("workflows/workflow-broken.yaml", "name: [\n");
    world.look("/workflows").await.assert_tells("Files that cannot be used");
    world.look("/schedules").await.assert_tells("Files whose schedule is not known");
}

#[tokio::test]
async fn a_workflow_with_many_steps_folds_those_that_nobody_has_to_look_at() {
    let world = World::new().await;
    let step = |method: &str, number: usize| {
        format!("{{name: s{number}, task: {{type: model_method, modelIdOrName: thing, methodName: {method}}}}}")
    };
    let steps: Vec<String> = (0..60).map(|number| step("work", number)).collect();
    world.write(
        "workflows/many.yaml",
        &format!(
            "id: 00000000-0000-4000-8000-0000000000ac\nname: many\njobs:\n- {{name: well, steps: [{}]}}\n\
             - {{name: badly, steps: [{}]}}\n",
            steps.join(", "),
            step("fail", 0)
        ),
    );
    let page = world.look("/workflows/many").await;
    page.assert_tells("well 60 steps");
    assert_eq!(page.body.matches("<details class=\"many\">").count(), 2, "{page:?}");
    let run = world.press("/workflows/many/runs", "").await;
    let run = world.look(run.header(header::LOCATION)).await;
    run.assert_tells("job well: 60 steps: 60 succeeded");
    let folded = run.body.matches("<details class=\"many\">").count();
    let open = run.body.matches("<details class=\"many\" open>").count();
    assert_eq!((folded, open), (1, 1), "what failed is seen: {run:?}");
    assert!(!world.look("/workflows/deploy").await.body.contains("class=\"many\""));
}

#[tokio::test]
async fn strange_names_are_text_on_every_page() {
    let world = World::new().await;
    let strange = "<script>alert(1)</script>\\\"'&\\n\\u202eabc/../?#%2F";
    let long = "x".repeat(200);
    world.write(
        "workflows/strange.yaml",
        &format!(
            "id: 00000000-0000-4000-8000-0000000000ab\nname: \"{strange}\"\ndescription: \"{strange}\"\n\
             inputs: {{properties: {{\"{strange}\": {{type: string, description: \"{strange}\", enum: [\"{strange}\"]}}}}}}\n\
             jobs:\n- name: \"{strange}\"\n  steps:\n  - name: \"{strange}\"\n    task: {{type: model_method, modelIdOrName: thing, methodName: work}}\n\
             \x20 - name: {long}\n    task: {{type: model_method, modelIdOrName: thing, methodName: work}}\n"
        ),
    );
    let list = world.look("/workflows").await;
    let start = list.body.find("href=\"/workflows/%3Cscript").expect("a link") + "href=\"".len();
    let address = list.body[start..].split('"').next().expect("its end").to_owned();
    let page = world.look(&address).await;
    assert_eq!(page.status, StatusCode::OK, "{address}");
    let answer = world.press(&format!("{address}/runs"), "key=k").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    let run = world.look(answer.header(header::LOCATION)).await;
    run.assert_tells("succeeded");
    let runs = world.look("/runs").await;
    for page in [list, page, run, runs] {
        assert!(!page.body.contains("<script>alert"), "{page:?}");
    }
}
