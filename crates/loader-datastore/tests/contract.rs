//! The loader keeps the contract of loaders.

use mangrove_testkit::contract::{
    self,
    loader::{Example, object, schema, text},
};

#[test]
fn keeps_the_contract_of_loaders() {
    let shape = object([
        ("type", text("@acme/files")),
        ("name", text("Files")),
        ("description", text("Keeps data in files")),
        ("createProvider", mangrove_domain::shape::Shape::Function),
    ]);
    let example = Example { type_name: "@acme/files", ..Example::new("datastore", shape) };
    let example = example.with_optional("configSchema", schema());
    contract::loader::run(mangrove_loader_datastore::loader().as_ref(), &example);
}
