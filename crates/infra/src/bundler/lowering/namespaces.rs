//! Variables that a namespace exports and changes later.

use oxc_ast::ast::{
    BindingPattern, Declaration, Statement, TSNamespaceDeclaration, TSNamespaceDeclarationBody, VariableDeclarationKind,
};
use oxc_span::GetSpan;

use super::Lowering;

impl Lowering<'_> {
    /// What changes inside of the namespace is seen outside: an exported variable stays one of the namespace's own function,
    /// and the object has a getter and a setter for it.
    pub(super) fn lower_namespace(&mut self, namespace: &TSNamespaceDeclaration<'_>) {
        let TSNamespaceDeclarationBody::TSModuleBlock(block) = &namespace.body else { return };
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
                    namespace.id.name,
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
