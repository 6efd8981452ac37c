//! What keeps settings from being a configuration: all of it is told, and not what is found first alone.

use config::{ConfigError, Value, ValueKind};

use super::Config;

/// How many faults are looked for: each costs a reading of the whole.
const MOST: usize = 50;

/// The configuration that `settings` hold, or what is wrong with them: every unknown key, and of each section the first
/// other fault.
pub(super) fn read(mut settings: Value) -> Result<Config, Vec<ConfigError>> {
    let mut faults = Vec::new();
    loop {
        match settings.clone().try_deserialize() {
            Ok(config) if faults.is_empty() => return Ok(config),
            Ok(_) => break,
            Err(fault) => {
                let passed = pass_over(&mut settings, &fault).is_some();
                faults.push(fault);
                if !passed || faults.len() == MOST {
                    break;
                }
            }
        }
    }
    faults.sort_by_cached_key(ToString::to_string);
    Err(faults)
}

/// Removes what `fault` is about, so that the next can be found: an unknown key, or all of the section.
fn pass_over(settings: &mut Value, fault: &ConfigError) -> Option<()> {
    let (path, message) = match fault {
        ConfigError::At { key: Some(key), error, .. } => (key.as_str(), error.to_string()),
        ConfigError::NotFound(key) | ConfigError::Type { key: Some(key), .. } => {
            (key.as_str(), String::new())
        }
        other => ("", other.to_string()),
    };
    // `eservice[0]ente[1]`
    let steps: Vec<&str> = path.split(['[', ']', '.']).filter(|step| !step.is_empty()).collect();
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    let (steps, name) = match unknown {
        Some((name, _)) => (steps.as_slice(), name),
        None => ([].as_slice(), *steps.first()?),
    };
    let mut place = settings;
    for step in steps {
        place = match &mut place.kind {
            ValueKind::Table(table) => table.get_mut(*step)?,
            ValueKind::Array(list) => list.get_mut(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match &mut place.kind {
        ValueKind::Table(table) => table.remove(name).map(drop),
        _ => None,
    }
}
