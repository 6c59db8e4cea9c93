//! Modules for tests of swaps: versions of a stage, and those that no host should take.

use std::path::Path;

use fastrand::Rng;

use crate::extent::size;

/// A guest that `cargo stages` built.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `cargo stages` first", path.display()))
}

/// Writes `new` over what follows the only place that says `marker`.
fn patched(mut module: Vec<u8>, marker: &str, new: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..module.len()).filter(|at| module[*at..].starts_with(marker.as_bytes())).collect();
    let [at] = places[..] else { panic!("{marker} is there {} times", places.len()) };
    let from = at + marker.len();
    module[from..from + new.len()].copy_from_slice(new);
    module
}

/// The version of the stage that adds this letter to the attribute `ran` of each item.
pub(crate) fn version(letter: u8) -> Vec<u8> {
    patched(guest("versioned"), "GRISTMILL-VERSION:", &[letter])
}

/// Puts a module in place of another one, at once.
pub(crate) fn replace(path: &Path, module: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, module).unwrap();
    std::fs::rename(&new, path).unwrap();
}

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

/// A good stage with one more core module, of so many functions with so many branches each. Nothing calls them; they are
/// compiled all the same.
fn with_functions(functions: usize, branches: usize) -> Vec<u8> {
    // if (local 0) {}
    let code = [0x20, 0, 0x04, 0x40, 0x0b].repeat(branches);
    let body = [number(code.len() + 2), vec![0], code, vec![0x0b]].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 1, 0x7f, 0]),
        section(3, &[number(functions), vec![0; functions]].concat()),
        section(10, &[number(functions), body.repeat(functions)].concat()),
    ];
    [version(b'!'), section(1, &module.concat())].concat()
}

/// A module that is not to be taken, and what is wrong with it.
pub(crate) struct Bad {
    pub(crate) what: String,
    pub(crate) module: Vec<u8>,
    /// Whether compiling it takes more than is allowed.
    pub(crate) is_costly: bool,
}

/// Fifty bad modules in a soak run, and some of each kind otherwise; each with another digest.
pub(crate) fn bad_modules(dice: &mut Rng) -> Vec<Bad> {
    let mut all = Vec::new();
    let mut add = |what: String, module, is_costly| all.push(Bad { what, module, is_costly });
    let good = version(b'?');
    for part in 1..=size(3, 13) {
        let cut = good.len() * part / size(4, 14) + dice.usize(..50);
        add(format!("the first {cut} bytes"), good[..cut].to_vec(), false);
    }
    for _ in 0..size(3, 14) {
        // The first kilobyte says what it imports. A bit in the middle of the code can make another good module.
        let (at, mut flipped) = (dice.usize(8..900), good.clone());
        flipped[at] ^= 0x80;
        add(format!("a bit flipped at {at}"), flipped, false);
    }
    add("nothing".into(), Vec::new(), false);
    add("a world without exports".into(), b"\0asm\x0d\0\x01\0".to_vec(), false);
    add("a core module".into(), b"\0asm\x01\0\0\0".to_vec(), false);
    add("a stage that asks for what it was not granted".into(), guest("reach"), false);
    for word in ["spin", "hog", "panic", "recurse", "exit", "shout", "schema", "branches"].iter().take(size(3, 8)) {
        let told = format!("{word:<11}");
        let hostile = patched(guest("misbehave"), "GRISTMILL-DESCRIBE:", told.as_bytes());
        add(format!("a describe that does {word}"), hostile, false);
    }
    for word in ["spin", "hog", "panic", "recurse", "exit"].iter().take(size(2, 5)) {
        let told = format!("{word:<11}");
        let hostile = patched(guest("misbehave"), "GRISTMILL-INIT:", told.as_bytes());
        add(format!("an init that does {word}"), hostile, false);
    }
    add("60,000 functions".into(), with_functions(60_000, 1), false);
    for functions in [50, 60, 70, 80, 90].into_iter().take(size(1, 5)) {
        add(format!("a compile bomb of {functions} functions"), with_functions(functions, 50_000), true);
    }
    all
}

/// The same module with other bytes in it that mean nothing: nobody has compiled it before.
pub(crate) fn unique(module: Vec<u8>, dice: &mut Rng) -> Vec<u8> {
    let content = [b"\x03run".to_vec(), dice.u64(..).to_be_bytes().to_vec()].concat();
    [module, section(0, &content)].concat()
}
