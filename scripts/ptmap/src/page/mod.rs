//! The page: one HTML file with its style, its script and its data in it, which loads nothing.
//!
//! # Decisions
//! - All that is known stands in the HTML itself, in lists and tables, and can be read without a
//!   script and by a screen reader. The script adds the explorer: a table of 512 entries at a time,
//!   each descriptor bit by bit, and the search.
//! - A table of 512 entries is the unit of zooming, because it is the unit of the hardware: 256
//!   TiB, 512 GiB, 1 GiB, 2 MiB, 4 KiB.
//! - Colours are told apart by letters, too.
//! - The Content-Security-Policy forbids everything that comes from elsewhere, so that a mistake
//!   here shows, and no name of a symbol can do harm.

mod atlas;
mod data;
mod lists;

use crate::difference::changes;
use crate::escape::Text;
use crate::map::Map;
use crate::places::Places;

const STYLE: [&str; 4] = [
    include_str!("style/base.css"),
    include_str!("style/atlas.css"),
    include_str!("style/explorer.css"),
    include_str!("style/tables.css"),
];
/// The script in four files, in the order in which they use each other.
const SCRIPT: [&str; 4] = [
    include_str!("script/model.js"),
    include_str!("script/grid.js"),
    include_str!("script/inspector.js"),
    include_str!("script/controls.js"),
];

/// The page with `maps`, the earliest first; `image` is the file that was booted.
#[must_use]
pub fn page(image: &str, maps: &[Map], places: &Places) -> String {
    let changes = match maps {
        [before, .., after] => changes(before, after),
        _ => Vec::new(),
    };
    let data = data::data(maps, &changes, places);
    let (style, script) = (STYLE.concat(), SCRIPT.concat());
    let body = [
        header(image, maps),
        "<main>".to_owned(),
        lists::findings(maps),
        atlas::atlas(maps),
        EXPLORER.to_owned(),
        lists::changes(&changes, maps),
        lists::pieces(maps),
        lists::tables(maps),
        lists::registers(maps),
        "</main>".to_owned(),
    ]
    .concat();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\" data-colour=\"rights\">\n<head>\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
         form-action 'none'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Page tables of {}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n\
         <script>\n\"use strict\";\n{{\n{script}}}\n</script>\n</body>\n</html>\n",
        Text(image)
    )
}

fn header(image: &str, maps: &[Map]) -> String {
    let whens = maps.iter().map(|map| {
        let (name, when) = (Text(&map.name), Text(&map.when));
        format!("<span><b>{name}</b> {when}</span>")
    });
    format!(
        "<a class=\"skip\" href=\"#explorer\">Skip to the explorer</a>\n\
         <header>\n<div class=\"title\"><h1>Page tables of <code>{}</code></h1>\n\
         <p class=\"when\">{}</p></div>\n{TOOLS}</header>\n",
        Text(image),
        whens.collect::<Vec<_>>().join(" ")
    )
}

const TOOLS: &str = r##"<div class="tools">
<div class="search"><label for="search">Search</label>
<input id="search" type="text" role="combobox" aria-expanded="false" aria-controls="results"
 aria-autocomplete="list" autocomplete="off" spellcheck="false"
 placeholder="address, frame, symbol or area  ( / )">
<ul id="results" role="listbox" aria-label="What was found" hidden></ul></div>
<div class="switch" role="group" aria-label="Colours">
<button type="button" data-colour-to="rights" aria-pressed="true">Rights</button><button
 type="button" data-colour-to="type" aria-pressed="false">Memory type</button></div>
<div class="switch" role="group" aria-label="Theme">
<button type="button" data-theme-to="" aria-pressed="true">Auto</button><button
 type="button" data-theme-to="light" aria-pressed="false">Light</button><button
 type="button" data-theme-to="dark" aria-pressed="false">Dark</button></div>
</div>
<ul class="legend of-rights" aria-label="Colours of rights">
<li><i class="r-rx">x</i>read, execute</li><li><i class="r-ro">r</i>read only</li>
<li><i class="r-rw">w</i>read, write</li><li><i class="r-wx">!</i>write and execute</li>
<li><i class="r-no">–</i>inaccessible</li></ul>
<ul class="legend of-type" aria-label="Colours of memory types">
<li><i class="t-wb">c</i>Normal write-back</li><li><i class="t-nc">n</i>Normal non-cacheable</li>
<li><i class="t-oc">o</i>otherwise cached</li><li><i class="t-de">d</i>Device-nGnRE and weaker</li>
<li><i class="t-ds">D</i>Device-nGnRnE</li><li><i class="t-re">?</i>undefined</li></ul>
"##;

const EXPLORER: &str = r##"<section id="explorer" aria-labelledby="explorer-title" tabindex="-1">
<h2 id="explorer-title">One table at a time</h2>
<noscript><p>The explorer needs a script; everything else on this page does without.</p></noscript>
<div class="path"><nav aria-label="Tables from the root down"><ol id="path"></ol></nav>
<button type="button" id="up" title="Backspace or minus in the grid">Zoom out</button></div>
<div id="grids"></div>
<p class="hint">Arrow keys move, Enter zooms into a table, Backspace zooms out, Page Up and Page
Down go to the neighbouring table. A framed cell is a table, with the colours of what it maps. A
corner marks what differs between the maps, a red ring a fault, a bar below 16 cells a contiguous
group, an underlined letter what EL0 may use, too.</p>
<div id="inspector"></div>
</section>
"##;

#[cfg(test)]
mod tests;
