//! The command line: what it takes and what it says of itself.

use bytes::Bytes;
use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

fn parse(line: &str) -> Result<CommandLine, clap::Error> {
    CommandLine::try_parse_from(line.split(' '))
}

#[test]
fn the_command_line_is_valid() {
    CommandLine::command().debug_assert();
}

#[test]
fn send_accepts_files_headers_and_a_cluster() {
    let line = "gristmill send documents a.txt - --brokers h:1 --header a=b=c --header d= --key k --log-format json";
    let line = parse(line).unwrap();
    assert_eq!(line.log_format, LogFormat::Json);
    let Command::Send(send) = line.command else { panic!("{line:?}") };
    assert_eq!((send.topic.as_str(), send.files.len()), ("documents", 2));
    assert_eq!(send.cluster.brokers.as_deref(), Some("h:1"));
    let value = |text: &'static [u8]| Some(Bytes::from_static(text));
    assert_eq!(send.headers[0], Header { name: "a".into(), value: value(b"b=c") });
    assert_eq!(send.headers[1], Header { name: "d".into(), value: value(b"") });
}

#[test]
fn a_missing_cluster_names_both_options() {
    let error = parse("gristmill tail analysed").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
    let text = error.to_string();
    assert!(text.contains("--brokers") && text.contains("--pipeline"), "{text}");
    parse("gristmill tail analysed --pipeline p.toml").unwrap();
    parse("gristmill tail analysed --pipeline p.toml --brokers h:1").unwrap();
}

#[test]
fn run_and_check_accept_several_pipelines() {
    let Command::Run(run) = parse("gristmill run a.toml folder").unwrap().command else { panic!() };
    assert_eq!(run.pipelines, [PathBuf::from("a.toml"), PathBuf::from("folder")]);
    let Command::Check(check) = parse("gristmill check a.toml b.toml").unwrap().command else { panic!() };
    assert_eq!(check.pipelines.len(), 2);
}

#[test]
fn invalid_arguments_are_usage_errors() {
    let lines = [
        "gristmill run",
        "gristmill send documents --brokers h:1",
        "gristmill send documents a.txt --brokers h:1 --header novalue",
        "gristmill send documents a.txt --brokers h:1 --header =x",
        "gristmill tail analysed --brokers h:1 --count 0",
        "gristmill tail analysed --brokers h:1 --from middle",
    ];
    for line in lines {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn the_long_help_lists_exit_codes_and_variables_and_every_command_has_an_example() {
    let mut command = CommandLine::command();
    let help = command.render_long_help().to_string();
    for code in ["0  ", "1  ", "2  ", "3  ", "78  "] {
        assert!(help.contains(&format!("\n  {code}")), "{code}: {help}");
    }
    for variable in ["GRISTMILL_BROKERS", "GRISTMILL_CACHE", "GRISTMILL_STATE", "RUST_LOG"] {
        assert!(help.contains(variable), "{variable}: {help}");
    }
    for subcommand in command.get_subcommands_mut().filter(|subcommand| subcommand.get_name() != "help") {
        let help = subcommand.render_long_help().to_string();
        let name = subcommand.get_name().to_owned();
        assert!(help.contains("gristmill ") && help.contains("Example"), "{help}");
        for nested in subcommand.get_subcommands_mut().filter(|nested| nested.get_name() != "help") {
            let help = nested.render_long_help().to_string();
            assert!(help.contains(&format!("gristmill {name} ")) && help.contains("Example"), "{help}");
        }
    }
}

#[test]
fn servers_are_named_by_an_address_or_switched_off() {
    let run = |line: &str| match parse(line).unwrap().command {
        Command::Run(run) => run,
        other => panic!("{other:?}"),
    };
    let both = run("gristmill run p.toml --api 127.0.0.1:8080 --admin off");
    assert_eq!(both.api, Some(ServerChoice::On("127.0.0.1:8080".parse().unwrap())));
    assert_eq!(both.admin, Some(ServerChoice::Off));
    assert!(parse("gristmill run p.toml --api localhost").is_err());
}
