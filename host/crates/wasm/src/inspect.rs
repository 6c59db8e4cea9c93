//! A look at a component before it is compiled: what it imports and exports, and whether it is small enough. Compiling
//! takes time and memory by the size of the code, and that of a stage without the right exports is wasted.

use wasmparser::{Parser, Payload};

use super::error::Reason;
use super::notes::Unrouted;

/// Maximum functions of a component, those of all its core modules together. A component of Python or JavaScript, with
/// its interpreter, has about 20,000.
const MOST_FUNCTIONS: u32 = 50_000;
/// The most code of a component, in bytes.
const MOST_CODE: usize = 32 << 20;
/// The largest function, in bytes. The compiler's time grows with the square of a function's branches: 4 s and 210 MiB at
/// 256 KiB, 42 s and 530 MiB at 1 MiB. The largest of our own stages has 48 KiB, but the loop of Python's interpreter 417.
const LARGEST_FUNCTION: usize = 512 << 10;
/// Maximum core modules and components in a component, of all depths.
const MOST_PARTS: usize = 200;
/// Maximum imports, and maximum exports.
const MOST_NAMES: usize = 1_000;

/// What a component imports and exports, by name, and how much code it has.
#[derive(Debug, Default)]
pub struct Interfaces {
    /// The names of what it imports, with their versions.
    pub imports: Vec<String>,
    /// The names of what it exports, with their versions.
    pub exports: Vec<String>,
    /// How many functions it has, in all its core modules.
    pub functions: usize,
    /// The size of these, in bytes.
    pub code: usize,
    pub(super) unrouted: Unrouted,
}

/// The interface and the function by which a stage asks for routes.
const CONTEXT: &str = "gristmill:stage/context@";
const IS_ROUTED: &str = "is-routed";

/// Reads through a component without checking it in full, which the compiler does.
pub(super) fn inspect(wasm: &[u8]) -> Result<Interfaces, Reason> {
    let malformed = |error: wasmparser::BinaryReaderError| Reason::Compile(wasmtime::Error::new(error));
    let mut interfaces = Interfaces::default();
    let (mut functions, mut parts, mut depth) = (0_u32, 0, 0_usize);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(malformed)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                parts += 1;
                depth += 1;
                bound("modules and components in it", parts, MOST_PARTS)?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            // Of what the contract offers, a core module imports only what it calls.
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(malformed)?;
                    if import.module.starts_with(CONTEXT) && import.name == IS_ROUTED {
                        interfaces.unrouted = Unrouted::Asked;
                    }
                }
            }
            Payload::CodeSectionStart { count, .. } => {
                functions = functions.saturating_add(count);
                bound("functions", functions as usize, MOST_FUNCTIONS as usize)?;
            }
            Payload::CodeSectionEntry(body) => {
                let bytes = body.range().len();
                interfaces.code += bytes;
                bound("bytes in one function", bytes, LARGEST_FUNCTION)?;
                bound("bytes of code", interfaces.code, MOST_CODE)?;
            }
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    interfaces.imports.push(import.map_err(malformed)?.name.name.to_owned());
                    bound("imports", interfaces.imports.len(), MOST_NAMES)?;
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    interfaces.exports.push(export.map_err(malformed)?.name.name.to_owned());
                    bound("exports", interfaces.exports.len(), MOST_NAMES)?;
                }
            }
            _ => {}
        }
    }
    interfaces.functions = functions as usize;
    Ok(interfaces)
}

fn bound(what: &'static str, count: usize, most: usize) -> Result<(), Reason> {
    if count > most { Err(Reason::TooMany { what, most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number as WebAssembly writes it.
    fn number(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let low = u8::try_from(number & 0x7f).unwrap();
            number >>= 7;
            bytes.push(if number == 0 { low } else { low | 0x80 });
            if number == 0 {
                return bytes;
            }
        }
    }

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [vec![id], number(content.len()), content.to_vec()].concat()
    }

    /// A component that holds one core module with so many functions of so many bytes.
    fn component(functions: usize, bytes: usize) -> Vec<u8> {
        let body = [number(bytes + 2), vec![0], vec![1; bytes], vec![0x0b]].concat();
        let module = [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, &[1, 0x60, 0, 0]),
            section(3, &[number(functions), vec![0; functions]].concat()),
            section(10, &[number(functions), body.repeat(functions)].concat()),
        ];
        [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module.concat())].concat()
    }

    #[test]
    fn code_that_would_cost_too_much_to_compile_is_refused_by_a_look() {
        let begun = std::time::Instant::now();
        for (wasm, expected) in [
            (component(50_000, 1), None),
            (component(100_000, 1), Some("has too many functions: at most 50000 are allowed")),
            (component(1, 513 << 10), Some("has too many bytes in one function: at most 524288 are allowed")),
            (component(140, 250 << 10), Some("has too many bytes of code: at most 33554432 are allowed")),
        ] {
            let refused = inspect(&wasm).err().map(|reason| reason.to_string());
            assert_eq!(refused.as_deref(), expected);
        }
        assert!(begun.elapsed().as_secs() < 20, "it did more than look: {:?}", begun.elapsed());
    }

    #[test]
    fn many_small_modules_are_refused_too() {
        let module = section(1, b"\0asm\x01\0\0\0");
        let wasm = [b"\0asm\x0d\0\x01\0".to_vec(), module.repeat(201)].concat();
        assert!(inspect(&wasm).unwrap_err().to_string().contains("modules and components"));
    }

    #[test]
    fn damaged_bytes_are_refused_and_never_break_us() {
        let good = component(3, 5);
        for cut in 8..good.len() - 1 {
            assert!(matches!(inspect(&good[..cut]), Err(Reason::Compile(_)) | Ok(_)));
        }
        assert!(matches!(inspect(&good[..good.len() - 1]), Err(Reason::Compile(_))));
    }
}
