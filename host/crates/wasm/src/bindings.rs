//! The bindings that `bindgen!` generates from the `wit` folder, and nothing else.

wasmtime::component::bindgen!({
    path: "../../../wit",
    world: "gristmill:stage/full-stage",
    imports: {
        "gristmill:stage/llm": async | trappable,
        "gristmill:stage/embeddings": async | trappable,
        "gristmill:stage/http": async | trappable,
        "gristmill:stage/state": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
