//! Load from `wrk`: so many connections that ask again as soon as they are answered, with cursors from all over a feed.

use std::process::Command;
use std::time::Duration;

use crate::dataset::{self, Feed};
use crate::server::Target;
use crate::turn;

/// Where the cursors come from.
#[derive(Clone, Copy)]
pub enum Cursors {
    /// Anywhere in the feed, and in any of so many feeds.
    Anywhere,
    /// Among so many flows after this share of the feed.
    After(f64, i64),
}

/// What is asked.
#[derive(Clone, Copy)]
pub struct Load<'a> {
    pub connections: usize,
    pub limit: u32,
    pub cursors: Cursors,
    /// Headers beside the voucher, each as `Name: value`.
    pub header: &'a str,
}

impl Load<'_> {
    pub fn of(connections: usize, limit: u32) -> Self {
        Self { connections, limit, cursors: Cursors::Anywhere, header: "" }
    }
}

/// What came of it.
pub struct Measured {
    pub answers: f64,
    pub time: Duration,
}

const SCRIPT: &str = r#"
local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end
function init(arguments)
  math.randomseed(os.time() * 16 + number)
  limit = arguments[1]
  wrk.headers["Authorization"] = "Bearer " .. arguments[2]
  local name, value = arguments[3]:match("^([^:]+): (.*)$")
  if name then wrk.headers[name] = value end
  feeds = {}
  for line in io.lines(arguments[4]) do
    local base, first, last = line:match("^(%S+) (%d+) (%d+)$")
    feeds[#feeds + 1] = { base, tonumber(first), tonumber(last) }
  end
end
function request()
  local feed = feeds[math.random(#feeds)]
  local since = math.random(feed[2], feed[3])
  return wrk.format("GET", string.format("%s/flussi?since=%d&limit=%s", feed[1], since, limit))
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("MEASURED %d %d %d\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status))
end
"#;

/// Asks for pages of these feeds for a while.
pub fn run(target: &Target, feeds: &[Feed], load: Load<'_>) -> Measured {
    let folder = dataset::folder();
    let (script, places) = (folder.join("pull.lua"), folder.join("feeds"));
    std::fs::write(&script, SCRIPT).unwrap();
    let lines: String = feeds
        .iter()
        .map(|feed| {
            let (from, to) = match load.cursors {
                Cursors::Anywhere => (feed.first, feed.last),
                Cursors::After(share, flows) => {
                    let after = feed.first + ((feed.last - feed.first) as f64 * share) as i64;
                    (after, (after + flows).min(feed.last))
                }
            };
            format!("{} {from} {to}\n", feed.base_path)
        })
        .collect();
    std::fs::write(&places, lines).unwrap();
    let scheme = if target.tls { "https" } else { "http" };
    let output = Command::new("wrk")
        .args(["-t2", &format!("-c{}", load.connections), &format!("-d{}s", turn().as_secs()), "-s"])
        .arg(&script)
        .arg(format!("{scheme}://{}", target.api))
        .args(["--", &load.limit.to_string(), &target.voucher, load.header])
        .arg(&places)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let told = said.lines().find_map(|line| line.strip_prefix("MEASURED "));
    let figures: Vec<f64> = told
        .unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)))
        .split(' ')
        .map(|figure| figure.parse().unwrap())
        .collect();
    assert!(figures[2] == 0.0, "{} calls were not answered with a page: {said}", figures[2]);
    Measured { answers: figures[0], time: Duration::from_micros(figures[1] as u64) }
}
