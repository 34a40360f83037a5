//! The page of `make ptmap` in a browser: everything that the keyboard reaches, the results of the
//! search, and the look: narrow and wide, light and dark.
//!
//! `make test-ptmap` makes the page and runs this. `CHROMIUM=/path` takes another browser. Pictures
//! of the page are left in `target/ptmap-pictures`, to be looked at.
//!
//! # Decisions
//! - A step is a script that runs after the page's own, presses keys as a user does and notes what
//!   it sees; then the browser prints the page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The longest that the browser may take for one page.
const LIMIT: Duration = Duration::from_secs(60);
/// The script that each step begins with.
const TOOLS: &str = include_str!("tools.js");

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the top of the checkout")
}

fn browser() -> PathBuf {
    let found = Command::new(root().join("scripts/find-tool.sh"))
        .arg("chromium")
        .output()
        .expect("a shell");
    assert!(
        found.status.success(),
        "no Chromium: `make test-ptmap` installs it"
    );
    PathBuf::from(String::from_utf8_lossy(&found.stdout).trim_end())
}

fn page() -> String {
    let path = root().join("target/ptmap.html");
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: `cargo xtask ptmap` makes it", path.display()))
}

/// Runs the browser on `address` in a folder of these files, in a window of `width` pixels; returns
/// its output.
fn run(files: &[(&str, String)], address: &str, width: u32, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("its own file");
    }
    let output = folder.path().join("output");
    let mut command = Command::new(browser());
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--hide-scrollbars", "--virtual-time-budget=5000"])
        // Without transitions: a colour is asked for in its final state.
        .arg("--force-prefers-reduced-motion")
        .arg(format!("--window-size={width},1600"))
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .args(arguments)
        .arg(format!("file://{}/{address}", folder.path().display()))
        .stdin(Stdio::null())
        .stdout(fs::File::create(&output).expect("its own file"))
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the browser starts");
    let begin = Instant::now();
    while child.try_wait().expect("it can be waited for").is_none() {
        if begin.elapsed() > LIMIT {
            child.kill().expect("it can be ended");
            child.wait().expect("it can be waited for");
            panic!("the browser did not end in {LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    fs::read_to_string(&output).expect("text")
}

/// A page with the map's page in a frame of `width` pixels, because a window of the browser has at
/// least 500. The notes that the frame posts become the element `notes`.
fn frame(hash: &str, width: u32) -> String {
    format!(
        "<!DOCTYPE html><body><iframe width={width} height=1500 src=\"page.html#{hash}\"></iframe>
         <script>addEventListener(\"message\", (event) => {{
           const pre = document.createElement(\"pre\");
           pre.id = \"notes\";
           pre.textContent = event.data;
           document.body.append(pre);
         }});</script></body>"
    )
}

/// The notes of `script`, which runs after the page's own: one for each call of `note`.
fn notes(hash: &str, width: u32, script: &str) -> Vec<String> {
    let step = format!("<script>{TOOLS}\nrun(() => {{\n{script}\n}});</script></body>");
    let page = page().replacen("</body>", &step, 1);
    let files = [("page.html", page), ("frame.html", frame(hash, width))];
    let dom = run(&files, "frame.html", 2100, &["--dump-dom"]);
    let (_, rest) = dom
        .split_once("<pre id=\"notes\">")
        .unwrap_or_else(|| panic!("the step did not run: {}", &dom[..dom.len().min(2000)]));
    let (text, _) = rest.split_once("</pre>").expect("it ends");
    text.split('\n').map(str::to_owned).collect()
}

#[track_caller]
fn noted(hash: &str, script: &str, expected: &[&str]) {
    assert_eq!(notes(hash, 2000, script), expected);
}

#[test]
fn an_address_in_the_link_is_shown() {
    noted(
        "va=0xffff000000084000",
        "note(shown()); note(level()); note(text('.side:last-child ol li:last-child').slice(0, 7));
         note(document.querySelectorAll('.grid').length); note(document.documentElement.dataset.ready);",
        &["0xffff000000084000", "3", "L3[132]", "2", "true"],
    );
}

#[test]
fn a_symbol_is_found_by_its_name_and_shown_in_its_page() {
    noted(
        "",
        "press('/'); note(document.activeElement.id); type('kernel_main');
         note(document.querySelector('#results [aria-selected=true] span').textContent);
         press('Enter'); note(text('#inspector .va span').split(', ').pop());
         note(document.activeElement.getAttribute('role'));
         type('0x3f000000'); press('Enter'); note(shown());
         type('heap'); press('Enter'); note(text('#inspector .va span'));
         type('no such thing'); note(text('#results'));
         press('Escape'); note(document.getElementById('results').hidden);",
        &[
            "search",
            "kernel_main",
            "kernel_main",
            "gridcell",
            "0x000000003f000000",
            "heap",
            "nothing of that name, and no address of a half",
            "true",
        ],
    );
}

#[test]
fn the_keyboard_moves_and_zooms() {
    noted(
        "va=0xffff000000084000",
        "focus('.grid [tabindex=\"0\"]');
         press('ArrowRight'); note(shown()); press('ArrowLeft'); press('ArrowLeft'); note(shown());
         press('Backspace'); note(level()); note(document.activeElement.getAttribute('aria-label').slice(0, 8));
         press('ArrowRight'); note(shown());
         press('Backspace'); press('Backspace'); press('Backspace'); note(level());
         press('End'); note(shown()); press('Home'); note(shown());
         press('Enter'); press('Enter'); press('Enter'); note(level());
         press('PageDown'); note(shown());",
        &[
            "0xffff000000085000",
            "0xffff000000083000",
            "2",
            "entry 0:",
            "0xffff000000200000",
            "0",
            "0xffff0f8000000000",
            "0xffff000000000000",
            "3",
            "0xffff000000200000",
        ],
    );
}

#[test]
fn the_atlas_is_one_stop_and_arrows_move_in_it() {
    noted(
        "",
        "const all = document.querySelectorAll('.atlas:last-of-type .piece').length;
         note(document.querySelectorAll('.atlas .piece[tabindex=\"0\"]').length <= 2);
         const start = [...document.querySelectorAll('.atlas .piece')].find((piece) => piece.dataset.va === 'ffff000000084000');
         start.focus(); note(shown()); press('ArrowDown'); note(shown()); press('ArrowRight'); note(shown());
         document.activeElement.click(); note(level());",
        &[
            "true",
            "0xffff000000084000",
            &format!("{:#018x}", address("__rodata_start")),
            &format!("{:#018x}", address("__rodata_start")),
            "3",
        ],
    );
}

/// The address of a symbol, out of the page's data.
fn address(name: &str) -> u64 {
    let page = page();
    let (before, _) = page
        .split_once(&format!(",\"{name}\"]"))
        .expect("such a symbol");
    let (_, entry) = before.rsplit_once("[\"").expect("an entry");
    let (va, _) = entry.split_once('"').expect("an address");
    u64::from_str_radix(va, 16).expect("a number")
}

#[test]
fn colours_and_themes_are_switched_and_said() {
    noted(
        "",
        "click('[data-colour-to=type]'); note(document.documentElement.dataset.colour);
         note(document.querySelector('[data-colour-to=type]').getAttribute('aria-pressed'));
         const device = [...document.querySelectorAll('.piece')].find((piece) => piece.textContent.includes('peripherals'));
         const ram = [...document.querySelectorAll('.piece')].find((piece) => piece.textContent.includes('RAM'));
         note(getComputedStyle(device).backgroundColor !== getComputedStyle(ram).backgroundColor);
         click('[data-theme-to=dark]'); const dark = getComputedStyle(document.body).backgroundColor;
         click('[data-theme-to=light]'); note(dark !== getComputedStyle(document.body).backgroundColor);",
        &["type", "true", "true", "true"],
    );
}

#[test]
fn everything_has_a_name_and_nothing_goes_wrong() {
    noted(
        "",
        "note(errors.join());
         const nameless = [...document.querySelectorAll('button, input, [role=gridcell], [role=grid], [role=region]')]
           .filter((one) => !(one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length));
         note(nameless.length);
         const wanted = [...document.querySelectorAll('[aria-labelledby], [aria-controls]')]
           .map((one) => one.getAttribute('aria-labelledby') ?? one.getAttribute('aria-controls'));
         note(wanted.filter((id) => !document.getElementById(id)).join());
         const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
         note(ids.length - new Set(ids).size);
         note(document.querySelectorAll('.grid').length * 512 === document.querySelectorAll('[role=gridcell]').length);
         note(document.querySelectorAll('.grid [tabindex=\"0\"]').length);",
        &["", "0", "", "0", "true", "2"],
    );
}

/// WCAG 2.1, 1.4.3 and 1.4.11: 4.5 to 1 for text, 3 to 1 for marks; and nothing that has to be
/// scrolled sideways.
#[test]
fn text_is_legible_and_fits_at_every_width_in_both_themes() {
    let script = "document.querySelectorAll('details').forEach((one) => { one.open = true; });
        for (const theme of ['light', 'dark']) for (const colour of ['rights', 'type']) {
          click(`[data-theme-to=${theme}]`); click(`[data-colour-to=${colour}]`);
          note(innerWidth); note(document.documentElement.scrollWidth);
          note(faint().join()); note(pale().join());
        }";
    for width in [400, 1200, 2000] {
        let nothing = String::new();
        let expected = [
            width.to_string(),
            width.to_string(),
            nothing.clone(),
            nothing,
        ];
        let found = notes("", width, script);
        for (turn, found) in found.chunks(4).enumerate() {
            assert_eq!(found, expected, "turn {turn}");
        }
        assert_eq!(found.len(), 16);
    }
}

#[test]
fn pictures_are_left_to_be_looked_at() {
    let folder = root().join("target/ptmap-pictures");
    fs::create_dir_all(&folder).expect("a folder in target");
    for width in [400, 2000] {
        for theme in ["light", "dark"] {
            let file = folder.join(format!("{width}-{theme}.png"));
            drop(fs::remove_file(&file));
            let argument = format!("--screenshot={}", file.display());
            let files = [("page.html", page())];
            run(
                &files,
                &format!("page.html#theme={theme}"),
                width,
                &[&argument],
            );
            let bytes = fs::read(&file).expect("a picture");
            assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 20_000);
        }
    }
}
