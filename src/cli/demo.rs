//! `demo`: the whole way of a benefit on an empty machine, told step by step.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use super::{CliError, Globals, calls, import, serve};
use crate::api::server::{self, StartError};
use crate::clock::Clock;
use crate::demo::{self, Demo, ENTE, USER};
use crate::inps::{self, BELFIORE, Base, Credentials, Esiti, InpsError, Options, PageSize, Report};

/// Show the whole story on an empty machine: keys, sample data, import, service, a pull as INPS makes it.
///
/// Uses a database of its own in the folder; a second run goes on from the first. Then keeps serving until interrupted.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Where everything is kept.
    #[arg(long, value_name = "DIR", default_value = "data/demo")]
    dir: PathBuf,
    /// Stop after the pull: exit code 0 if all of it was as it must be.
    #[arg(long)]
    exit: bool,
}

pub(crate) fn run(args: &Args, globals: &Globals) -> Result<ExitCode, CliError> {
    let demo = demo::prepare(&args.dir).map_err(failed)?;
    let globals = Globals { config: Some(demo.config.clone()), ..globals.clone() };
    let config = globals.config()?;
    say!(
        "1. A Comune's files. Keys of a local issuer, a configuration and two files of benefits of invented"
    );
    say!("   people are in {}.\n", args.dir.display());

    say!("2. Import. What INPS would refuse is refused here, in words that tell what to change; the rest is");
    say!("   published as flows, one person and one benefit each. A benefit over two years becomes two.\n");
    let [prestazioni, minori] = demo.samples.each_ref().map(|path| path.as_os_str());
    let arguments = ["import".as_ref(), prestazioni, minori, "--ente".as_ref(), ENTE.as_ref()];
    import::run(&import::Args::try_parse_from(arguments).map_err(failed)?, &globals)?;

    let store = super::open(&config)?;
    let password = demo::user(&store, &args.dir, Clock::System.now_ms()).map_err(failed)?;

    super::runtime()?.block_on(async {
        let running = match server::start(&config, Clock::System).await {
            // Another program took the port since it was found free.
            Err(StartError::Listen { .. }) => {
                demo::prepare(&args.dir).map_err(failed)?;
                server::start(&globals.config()?, Clock::System).await?
            }
            started => started?,
        };
        let base = format!("http://{}/waas/v1", running.api);
        say!("\n3. The service is up: INPS reaches it at {base}.\n");
        say!("4. A pull, as INPS makes it: a voucher, a cursor, page after page until nothing is left; then the");
        say!("   outcomes of what was acquired.\n");
        let pull = pull(&demo, &base)?;
        let report = tokio::task::spawn_blocking(move || inps::run(&pull, &Clock::System, &mut ())).await;
        let report: Report = report.map_err(failed)?.map_err(failed)?;
        print!("{report}");
        say!("\n5. Every call is in the log before its answer leaves, the refused ones too. The first of this service:\n");
        let first = calls::Args::try_parse_from(["calls", "search", "--limit", "6"]).map_err(failed)?;
        calls::run(&first, &globals)?;
        if args.exit {
            running.stop().await;
            return Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let program = std::env::args().next().unwrap_or_else(|| "waas-comuni".to_owned());
        let config = demo.config.display();
        say!("\nIt keeps serving until interrupted (Ctrl-C):");
        say!("  public API    {base}/status, /flussi, /esiti, /openapi.yaml");
        say!("  back office   http://{}/", running.back_office);
        match &password {
            Some(password) => say!("                user {USER}, first password {password}"),
            None => say!("                user {USER}, with the password that you chose"),
        }
        say!("Try, in another terminal:");
        say!("  {program} calls search --config {config}");
        say!("  {program} inps --url {base} --issuer-key {} --issuer-config {}", demo.issuer[0].display(), demo.issuer[1].display());
        say!("  {program} import FILE.csv --ente {ENTE} --config {config}");
        serve::interrupted()?.await;
        running.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// What the pull asks for: everything.
fn pull(demo: &Demo, base: &str) -> Result<Options, CliError> {
    let [key, profile] = &demo.issuer;
    Ok(Options {
        url: base.parse::<Base>().map_err(failed)?,
        ca: None,
        credentials: Credentials::from_issuer(key, profile).map_err(|error: InpsError| failed(error))?,
        since: 0,
        limit: PageSize::LARGEST,
        cursor_file: None,
        esiti: Esiti::Ok,
        rehearse: false,
        patience: std::time::Duration::from_secs(5),
        codice_ente: regex::Regex::new(BELFIORE).map_err(failed)?,
    })
}

fn failed(error: impl Display) -> CliError {
    CliError::Failed(error.to_string())
}
