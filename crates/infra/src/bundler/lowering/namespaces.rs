//! Variables that a namespace exports and changes later.

use oxc_ast::ast::{
    BindingPattern, Class, Declaration, Function, Statement, TSNamespaceDeclaration, TSNamespaceDeclarationBody,
    VariableDeclaration, VariableDeclarationKind,
};
use oxc_span::GetSpan;

use super::Lowering;

impl Lowering<'_> {
    /// What changes inside of the namespace is seen outside: an exported variable stays one of the namespace's own function,
    /// and the object has a getter and a setter for it.
    pub(super) fn lower_namespace(&mut self, namespace: &TSNamespaceDeclaration<'_>) {
        let TSNamespaceDeclarationBody::TSModuleBlock(block) = &namespace.body else { return };
        let name = namespace.id.name.as_str();
        // What has the namespace's own name inside of it hides the object, which its function still gets as its argument.
        let is_hidden = block.body.iter().any(|statement| declares(statement, name));
        let object = if is_hidden { "arguments[0]" } else { name };
        for statement in &block.body {
            let Statement::ExportDeclaration(export) = statement else { continue };
            let Declaration::VariableDeclaration(variables) = &export.declaration else { continue };
            let changes = matches!(variables.kind, VariableDeclarationKind::Let | VariableDeclarationKind::Var);
            if !changes || variables.declare {
                continue;
            }
            let mut live = String::new();
            for declarator in &variables.declarations {
                let BindingPattern::BindingIdentifier(name) = &declarator.id else { continue };
                live.push_str(&format!(
                    " Object.defineProperty({}, \"{name}\", {{ get: () => {name}, set: (value) => {{ {name} = value; }}, \
                     enumerable: true, configurable: true }});",
                    object,
                    name = name.name,
                ));
            }
            // What a pattern declares is exported as it is: it is too rare for more.
            if variables.declarations.iter().any(|it| !matches!(it.id, BindingPattern::BindingIdentifier(_))) {
                continue;
            }
            self.edits.replace(export.span.start, variables.span().start, "");
            self.edits.insert(export.span.end, format!(";{live}"));
        }
    }
}

/// True if a statement declares this name in its scope.
fn declares(statement: &Statement<'_>, name: &str) -> bool {
    let of_class = |class: &Class<'_>| class.id.as_ref().is_some_and(|id| id.name == name);
    let of_function = |function: &Function<'_>| function.id.as_ref().is_some_and(|id| id.name == name);
    let of_variables = |variables: &VariableDeclaration<'_>| {
        let names = variables.declarations.iter().flat_map(|declarator| declarator.id.get_binding_identifiers());
        names.into_iter().any(|identifier| identifier.name == name)
    };
    match statement {
        Statement::ClassDeclaration(class) => of_class(class),
        Statement::FunctionDeclaration(function) => of_function(function),
        Statement::VariableDeclaration(variables) => of_variables(variables),
        Statement::TSEnumDeclaration(it) => it.id.name == name,
        Statement::ExportDeclaration(export) => match &export.declaration {
            Declaration::ClassDeclaration(class) => of_class(class),
            Declaration::FunctionDeclaration(function) => of_function(function),
            Declaration::VariableDeclaration(variables) => of_variables(variables),
            Declaration::TSEnumDeclaration(it) => it.id.name == name,
            _ => false,
        },
        _ => false,
    }
}
