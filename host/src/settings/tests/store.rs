//! Where the state store is.

use super::*;

fn told(store: &str) -> String {
    match Pipeline::parse(&format!("{LEAST}[store]\n{store}\n"), Path::new("p.toml")) {
        Ok(_) => "good".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_store_is_a_file_or_a_server() {
    for good in [
        "",
        "folder = \"state\"\nmax_size = \"1GiB\"",
        "url = \"postgres://user@db/state?sslmode=verify-full\"\npassword = { env = \"X\" }\nca = \"ca.pem\"",
        "url = \"rediss://cache:6380/1\"\nkeep_ended = \"1h\"\nmax_answers = \"1GiB\"",
    ] {
        assert_eq!(told(good), "good");
    }
    for (bad, fault) in [
        ("url = \"redis://cache\"\nfolder = \"state\"", "[store] has a url, so folder means nothing"),
        ("url = \"redis://cache\"\nmax_size = \"1GiB\"", "[store] has a url, so max_size means nothing"),
        ("password = { env = \"X\" }", "[store] has no url, so password means nothing"),
        ("ca = \"ca.pem\"", "[store] has no url, so ca means nothing"),
        ("url = \"mysql://db\"", "names no store"),
        ("url = \"postgres://db/state?sslmode=allow\"", "unknown sslmode"),
        ("url = \"postgres://db/state?no_such=1\"", "cannot be used"),
    ] {
        let told = told(bad);
        assert!(told.contains(fault) && told.contains("p.toml:1"), "{told}");
    }
}

#[test]
fn a_password_of_a_store_is_a_secret_and_never_shown() {
    for bad in [
        "url = \"postgres://user:canary@db/state\"",
        "url = \"redis://:canary@cache\"",
        "url = \"postgres://db/state?user=u&password=canary\"",
        "url = \"redis://cache\"\npassword = \"canary\"",
    ] {
        let told = told(bad);
        assert!(told.contains("password") && !told.contains("canary"), "{bad}: {told}");
    }
}
