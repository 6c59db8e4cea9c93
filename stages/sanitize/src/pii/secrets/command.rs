//! Secrets that only an option of a command announces: `curl -u name:password`, `mysql -ppassword`.

use std::ops::Range;

use super::super::boundary::is_word;

/// How an option writes its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// Directly behind the option: with a space, something else follows.
    Glued,
    /// The next argument, or directly behind.
    Whole,
    /// As before, and a name and a sign come first.
    Behind(char),
    /// As before, where only `pass:` says that it is no file.
    Pass,
}

/// A command and its options that take a secret.
pub(super) struct Command {
    pub(super) name: &'static str,
    options: &'static [(&'static str, Value)],
}

const fn command(name: &'static str, options: &'static [(&'static str, Value)]) -> Command {
    Command { name, options }
}

const USER: &[(&str, Value)] = &[
    ("-u", Value::Behind(':')),
    ("--user", Value::Behind(':')),
    ("-U", Value::Behind(':')),
    ("--proxy-user", Value::Behind(':')),
];
const GLUED_P: &[(&str, Value)] = &[("-p", Value::Glued)];
const P: &[(&str, Value)] = &[("-p", Value::Whole)];
const W: &[(&str, Value)] = &[("-w", Value::Whole)];
/// The client of Oracle takes `name/password@host` without any option.
const NO_OPTION: &str = "";

pub(super) const COMMANDS: &[Command] = &[
    command("curl", USER),
    command("mysql", GLUED_P),
    command("mysqldump", GLUED_P),
    command("mysqladmin", GLUED_P),
    command("mysqlimport", GLUED_P),
    command("mysqlcheck", GLUED_P),
    command("mysqlsh", GLUED_P),
    command("mariadb", GLUED_P),
    command("mariadb-dump", GLUED_P),
    command("mariadb-admin", GLUED_P),
    command("mongo", P),
    command("mongosh", P),
    command("mongodump", P),
    command("mongorestore", P),
    command("mongoimport", P),
    command("mongoexport", P),
    command("sshpass", P),
    command("redis-cli", &[("-a", Value::Whole), ("--pass", Value::Whole)]),
    command("docker login", P),
    command("podman login", P),
    command("helm registry login", P),
    command("az login", P),
    command("oc login", P),
    command("sqlcmd", &[("-P", Value::Whole)]),
    command("sqlplus", &[(NO_OPTION, Value::Behind('/'))]),
    command("smbclient", &[("-U", Value::Behind('%'))]),
    command("ldapsearch", W),
    command("ldapmodify", W),
    command("ldapadd", W),
    command("ldapwhoami", W),
    command("unzip", &[("-P", Value::Whole)]),
    command("lftp", &[("-u", Value::Behind(','))]),
    command("openssl", &[("-passin", Value::Pass), ("-passout", Value::Pass), ("-pass", Value::Pass)]),
];

/// How much of a command is read, in bytes and in arguments.
const LONGEST: usize = 512;
const MOST_ARGUMENTS: usize = 48;

impl Command {
    /// Reports the secrets among the arguments of the command whose name is at `name`.
    pub(super) fn values(&self, text: &str, name: Range<usize>, report: &mut dyn FnMut(Range<usize>)) {
        if text[..name.start].ends_with(|c| is_word(c) || c == '-' || c == '.') {
            return;
        }
        let end = text.floor_char_boundary(name.end + LONGEST);
        let mut at = name.end + if text[name.end..].starts_with(".exe") { 4 } else { 0 };
        let mut pending = None;
        for _ in 0..MOST_ARGUMENTS {
            let Some(argument) = argument(&text[..end], at) else { return };
            at = argument.end;
            let taken = match pending.take() {
                Some(value) if !text[argument.clone()].starts_with('-') => Some((value, argument)),
                _ => match self.read(&text[argument.clone()]) {
                    Some((value, Some(length))) => Some((value, argument.start + length..argument.end)),
                    Some((value, None)) => {
                        pending = Some(value);
                        None
                    }
                    None => None,
                },
            };
            if let Some(range) = taken.and_then(|(value, range)| secret(text, range, value)) {
                report(range);
            }
        }
    }

    /// What the option of an argument takes, and how long the option is if its value is in the same argument.
    fn read(&self, argument: &str) -> Option<(Value, Option<usize>)> {
        self.options.iter().find_map(|(option, value)| {
            if option.is_empty() {
                return (!argument.starts_with(['-', '/', '@', '.'])).then_some((*value, Some(0)));
            }
            if argument == *option {
                return (*value != Value::Glued).then_some((*value, None));
            }
            // Long options, and those of OpenSSL, are apart from their value.
            let is_long = option.len() > 2;
            match argument.strip_prefix(option) {
                Some(rest) if is_long => rest.starts_with('=').then_some((*value, Some(option.len() + 1))),
                Some(_) => Some((*value, Some(option.len()))),
                // Several options without a value may be before the last one: `-sSu`.
                None if !is_long && matches!(value, Value::Behind(_)) => {
                    let is_row = (3..=6).contains(&argument.len())
                        && argument.starts_with('-')
                        && argument[1..].bytes().all(|byte| byte.is_ascii_alphabetic());
                    (is_row && argument.ends_with(&option[1..])).then_some((*value, None))
                }
                None => None,
            }
        })
    }
}

/// The argument that begins at or after `from`, with its quotes; `None` at the end of the command.
fn argument(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut start = from;
    loop {
        match bytes.get(start..)? {
            [b' ' | b'\t', ..] => start += 1,
            [b'\\', b'\n', ..] => start += 2,
            [b'\n' | b'\r' | b'|' | b';' | b'&' | b')' | b'`', ..] | [] => return None,
            _ => break,
        }
    }
    // Nothing but blanks may separate the name from what follows.
    if start == from {
        return None;
    }
    let mut end = start;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b';' | b'|' | b')' | b'`' => break,
            b'"' | b'\'' => {
                end += 1;
                // One that is not closed is part of the value.
                end += memchr::memchr2(*byte, b'\n', &bytes[end..])
                    .filter(|length| bytes[end + length] == *byte)
                    .map_or(0, |length| length + 1);
            }
            _ => end += 1,
        }
    }
    Some(start..end)
}

/// The secret in the value of an option, without its quotes.
fn secret(text: &str, range: Range<usize>, value: Value) -> Option<Range<usize>> {
    let raw = &text[range.clone()];
    let inner = ['"', '\''].iter().find_map(|quote| raw.strip_prefix(*quote)?.strip_suffix(*quote));
    let start = range.start + usize::from(inner.is_some());
    let inner = inner.unwrap_or(raw).trim_end_matches([',', '.', '"', '\'']);
    let (skipped, inner) = match value {
        Value::Pass => (5, inner.strip_prefix("pass:")?),
        // A host may follow the password.
        Value::Behind('/') => (0, inner.rsplit_once('@').map_or(inner, |(before, _)| before)),
        _ => (0, inner),
    };
    let password = match value {
        Value::Behind(sign) => inner.split_once(sign)?.1,
        _ => inner,
    };
    let is_path = value == Value::Behind('/') && (password.contains('/') || password.contains(".sql"));
    let start = start + skipped;
    (is_password(password) && !is_path).then_some(start..start + inner.len())
}

/// What manuals write in place of a password. Words such as "secret" are in use as passwords themselves.
const NAMES: [&str; 6] = ["password", "passwd", "pass", "your_password", "your-password", "yourpassword"];

/// Whether it is not a variable, a mask or a name for what is to be written.
fn is_password(value: &str) -> bool {
    let first = value.chars().next().unwrap_or('$');
    let is_sign = matches!(first, '$' | '{' | '<' | '[' | '%' | '*' | '•');
    let is_row = value.len() > 2 && value.chars().all(|c| c == first);
    let is_name = NAMES.iter().any(|name| name.eq_ignore_ascii_case(value));
    !(is_sign || is_row || is_name)
}

#[cfg(test)]
mod tests {
    use super::super::Secrets;

    fn found(text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        Secrets::new().scan(text, 0..text.len(), &mut |_, range| all.push(&text[range]));
        all
    }

    #[test]
    fn the_options_of_commands_announce_secrets() {
        for (text, secret) in [
            ("curl -u deploy:s3cr3t https://shop.example", "deploy:s3cr3t"),
            ("$ curl -sSu 'deploy:two words' https://shop.example", "deploy:two words"),
            ("curl --user=deploy:s3cr3t x", "deploy:s3cr3t"),
            ("/usr/bin/curl -X POST \\\n  --proxy-user deploy:s3cr3t x", "deploy:s3cr3t"),
            ("run `curl -udeploy:s3cr3t`.", "deploy:s3cr3t"),
            ("mysql -u root -pGummib4er shop", "Gummib4er"),
            ("docker exec -it db mysql -uroot -psecret", "secret"),
            ("mysqldump -h db -p'two words' shop > shop.sql", "two words"),
            ("sshpass -p Gummib4er ssh host", "Gummib4er"),
            ("redis-cli -h cache -a Gummib4er ping", "Gummib4er"),
            ("docker login -u mia -p Gummib4er registry.example", "Gummib4er"),
            ("mongosh shop -u mia -p Gummib4er", "Gummib4er"),
            ("sqlplus mia/Gummib4er@db", "mia/Gummib4er"),
            ("smbclient //host/share -U mia%Gummib4er", "mia%Gummib4er"),
            ("openssl rsa -in a.pem -passin pass:Gummib4er", "Gummib4er"),
            ("keytool -storepass x -password Gummib4er", "Gummib4er"),
        ] {
            assert_eq!(found(text), [secret], "{text}");
        }
        assert_eq!(found("mysql --password=hunter22 -pGummib4er"), ["hunter22", "Gummib4er"]);
    }

    #[test]
    fn options_of_other_commands_and_what_is_no_secret_are_not_found() {
        for text in [
            "curl -u \"$USER:$PASSWORD\" x",
            "curl -u user:password x",
            "curl -U x; ls -u a:b1c2",
            "mysql -u root -p shop",
            "mysql -uroot -ppassword -p*****",
            "mysql -P3306 -h db",
            "docker run -p 8080:80 nginx",
            "mkdir -p a/b/c",
            "ssh -p 2222 host",
            "curling -u a:b1c2",
            "sqlplus / as sysdba",
            "sqlplus @scripts/create.sql",
            "mongodb://host/shop -p Gummib4er",
            "openssl rsa -passin file:secret.txt",
            "libcurl-u a:b1c2",
            "curl | sort -u a:b1c2",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
