//! What an initialised instance holds, written into a component of its own: its instances begin where `init` ended.
//!
//! `wasmtime-wizer` adds functions to a component that read its memories and globals, and later writes what they
//! returned in place of the data that the component began with. In between, the component runs in our own engine.

use std::collections::HashMap;

use futures_util::FutureExt;
use wasmparser::{CanonicalFunction, Parser, Payload};
use wasmtime::Store;
use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::component::{Instance, Val, WasmList};
use wasmtime::error::Context;
use wasmtime_wizer::{ComponentContext, ComponentInstanceState, Wizer};

use super::state::{CallState, Keys};
use gristmill_core::settings::ByteSize;

/// The most memory that an instance may hold to be kept as a snapshot, and the largest snapshot: as much as a module.
const LARGEST: ByteSize = ByteSize::mib(64);

/// The instance that `wasmtime-wizer` exports, with a function for each memory and each global.
const READERS: &str = "wasmtime:wizer/access";

/// How to write what was read of a component.
pub(super) struct Readable<'a> {
    context: ComponentContext<'a>,
}

/// What an instance holds, by the function that reads it.
#[derive(Default)]
pub(super) struct Held {
    memories: HashMap<String, Vec<u8>>,
    globals: HashMap<String, Val>,
}

impl<'a> Readable<'a> {
    /// Adds the functions that read, and returns the component that has them beside it.
    ///
    /// # Errors
    /// Why instances of the component cannot be kept, in words that follow its name.
    pub(super) fn of(wasm: &'a [u8]) -> Result<(Self, Vec<u8>), String> {
        only_passes_resources(wasm)?;
        match Wizer::new().instrument_component(wasm) {
            Ok((context, wasm)) => Ok((Self { context }, wasm)),
            Err(error) => Err(format!("it cannot be read: {error:#}")),
        }
    }

    /// The component whose instances begin with what was read.
    ///
    /// # Errors
    /// Why not, in words that follow the name of the component.
    pub(super) fn holding(&self, mut held: Held) -> Result<Vec<u8>, String> {
        // Nothing is waited for: all was read before.
        let written = Wizer::new().snapshot_component(&self.context, &mut held).now_or_never();
        let wasm = written.context("it did not end").flatten().map_err(|error| format!("{error:#}"))?;
        match wasm.len() > LARGEST.as_usize() {
            true => Err(too_large()),
            false => Ok(wasm),
        }
    }
}

fn too_large() -> String {
    format!("it holds more than {LARGEST} after init")
}

/// A snapshot has memories and globals, but no table of handles: whoever makes resources of its own would look for them
/// in vain. What it got from the host is known only when it runs.
fn only_passes_resources(wasm: &[u8]) -> Result<(), String> {
    for payload in Parser::new(0).parse_all(wasm) {
        let Payload::ComponentCanonicalSection(functions) = payload.map_err(|error| error.to_string())? else {
            continue;
        };
        for function in functions {
            match function.map_err(|error| error.to_string())? {
                CanonicalFunction::Lift { .. }
                | CanonicalFunction::Lower { .. }
                | CanonicalFunction::ResourceDrop { .. } => {}
                _ => return Err("it has resources or tasks of its own".into()),
            }
        }
    }
    Ok(())
}

impl Held {
    /// Reads an instance of a component that [`Readable`] made. Each of its memories grows by a page.
    pub(super) async fn by(instance: &Instance, store: &mut Store<CallState>) -> wasmtime::Result<Self> {
        if store.data().memory.used() > LARGEST.as_usize() {
            return Err(wasmtime::Error::msg(too_large()));
        }
        // What is read is not what the guest has the host copy; it was bounded above.
        store.set_hostcall_fuel(2 * LARGEST.as_usize());
        let readers = instance.get_export(&mut *store, None, READERS);
        let Some((ComponentItem::ComponentInstance(readers), parent)) = readers else {
            return Err(wasmtime::Error::msg("it has no functions that read it"));
        };
        let engine = store.engine().clone();
        let names: Vec<String> = readers.exports(&engine).map(|(name, _)| name.to_owned()).collect();
        let mut held = Self::default();
        for name in names {
            let index = instance.get_export_index(&mut *store, Some(&parent), &name).context("a reader is gone")?;
            let reader = instance.get_func(&mut *store, index).context("a reader is no function")?;
            if matches!(reader.ty(&*store).results().next(), Some(Type::List(_))) {
                let reader = reader.typed::<(), (WasmList<u8>,)>(&*store)?;
                let (bytes,) = reader.call_async(&mut *store, ()).await?;
                held.memories.insert(name, bytes.as_le_slice(&*store).to_vec());
            } else {
                let mut value = [Val::Bool(false)];
                reader.call_async(&mut *store, &[], &mut value).await?;
                let [value] = value;
                held.globals.insert(name, value);
            }
        }
        Ok(held)
    }
}

/// Where keys are kept: the first, counted up for each map; the second; a flag that says whether they were asked for.
const CELL: usize = 17;

impl Held {
    /// Undoes that keys for hash maps were asked for, so that each instance asks for its own when it makes the next map.
    /// Maps that exist keep theirs. `before` is what an instance held that had not asked.
    ///
    /// This knows how Rust's standard library keeps them: it gives each map the first key and counts it up, so its own is
    /// ahead of those of all maps.
    ///
    /// # Errors
    /// They are not kept in that way, in words that follow the name of the component.
    pub(super) fn forget(&mut self, keys: Keys, before: &Self) -> Result<(), String> {
        let mut cells: Vec<(u64, &String, usize)> = Vec::new();
        for (name, bytes) in &self.memories {
            for cell in (0..bytes.len().saturating_sub(CELL - 1)).step_by(8) {
                let maps = number(bytes, cell).wrapping_sub(keys.0);
                if number(bytes, cell + 8) == keys.1 && (1..u64::from(u32::MAX)).contains(&maps) {
                    cells.push((maps, name, cell));
                }
            }
        }
        cells.sort_unstable();
        let unknown = || Err("it keeps random numbers for hash maps in a way that the host does not know".to_owned());
        let (name, cell) = match cells.as_slice() {
            [.., (second, ..), (first, name, cell)] if first > second => ((*name).clone(), *cell),
            [(_, name, cell)] => ((*name).clone(), *cell),
            _ => return unknown(),
        };
        let fresh = before.memories.get(&name).and_then(|bytes| bytes.get(cell..cell + CELL));
        let (Some(fresh), Some(bytes)) = (fresh, self.memories.get_mut(&name)) else { return unknown() };
        if bytes[cell + CELL - 1] != 1 || fresh != [0; CELL] {
            return unknown();
        }
        bytes[cell..cell + CELL].fill(0);
        Ok(())
    }
}

/// The number at this place, which is in the memory.
fn number(memory: &[u8], place: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&memory[place..place + 8]);
    u64::from_le_bytes(bytes)
}

/// Answers what was read. A function that is asked for and was not read would be a fault of `wasmtime-wizer`, which leaves
/// no way to say so; the empty memory that it gets instead makes a component that does not work, and that is tried out.
impl ComponentInstanceState for Held {
    async fn call_func_ret_list_u8(&mut self, _: &str, func: &str, contents: impl FnOnce(&[u8]) + Send) {
        contents(self.memories.get(func).map_or(&[], Vec::as_slice));
    }

    async fn call_func_ret_s32(&mut self, _: &str, func: &str) -> i32 {
        if let Some(Val::S32(value)) = self.globals.get(func) { *value } else { 0 }
    }

    async fn call_func_ret_s64(&mut self, _: &str, func: &str) -> i64 {
        if let Some(Val::S64(value)) = self.globals.get(func) { *value } else { 0 }
    }

    async fn call_func_ret_f32(&mut self, _: &str, func: &str) -> u32 {
        if let Some(Val::Float32(value)) = self.globals.get(func) { value.to_bits() } else { 0 }
    }

    async fn call_func_ret_f64(&mut self, _: &str, func: &str) -> u64 {
        if let Some(Val::Float64(value)) = self.globals.get(func) { value.to_bits() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(words: &[u64]) -> Held {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Held { memories: HashMap::from([("memory".to_owned(), bytes)]), globals: HashMap::new() }
    }

    /// What is left of this memory when the keys 100 and 7 are forgotten.
    fn left(words: &[u64], before: &[u64]) -> Result<Vec<u64>, String> {
        let mut held = held(words);
        held.forget((100, 7), &self::held(before))?;
        Ok((0..words.len()).map(|index| number(&held.memories["memory"], index * 8)).collect())
    }

    #[test]
    fn keys_are_forgotten_and_maps_keep_theirs() {
        let maps = [5, 100, 7, 101, 7];
        assert_eq!(left(&[5, 100, 7, 101, 7, 102, 7, 1, 9], &[0; 9]), Ok([&maps[..], &[0, 0, 0, 9]].concat()));
        assert_eq!(left(&[101, 7, 1], &[0; 3]), Ok(vec![0; 3]), "the maps may be gone");
        assert_eq!(left(&[101, 7, 0x301], &[0, 0, 0x300]), Ok(vec![0, 0, 0x300]), "what lies behind is another's");
    }

    #[test]
    fn what_only_looks_like_keys_is_not_touched() {
        for (what, words, before) in [
            ("nothing is found", [0, 0, 0, 0, 0, 0], [0; 6]),
            ("only the keys as they were given", [100, 7, 1, 0, 0, 0], [0; 6]),
            ("no flag", [101, 7, 2, 0, 0, 0], [0; 6]),
            ("the flag was set before", [101, 7, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0]),
            ("two that are ahead", [102, 7, 1, 102, 7, 1], [0; 6]),
        ] {
            assert!(left(&words, &before).is_err(), "{what}");
        }
    }
}
