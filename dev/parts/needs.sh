# shellcheck shell=bash
# What the tests need from the machine, and how it gets there.

# What is fetched and not installed lies here. The folder may be deleted at any time.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/graphbook-test

# shellcheck source=dev/parts/mysql.sh
source "${BASH_SOURCE[0]%/*}/mysql.sh"
# shellcheck source=dev/parts/python.sh
source "${BASH_SOURCE[0]%/*}/python.sh"
# shellcheck source=dev/parts/peers.sh
source "${BASH_SOURCE[0]%/*}/peers.sh"
# shellcheck source=dev/parts/browser.sh
source "${BASH_SOURCE[0]%/*}/browser.sh"

# One line for each need: for what | what succeeds when it is there | what brings it | why.
# What brings it: Debian packages, with a comma between those of which the first that the distribution
# has is enough, or `fetch:` and a function that fetches it into $cache.
# A function that looks for something also succeeds when the developer has set a server of their own.
needs=(
  'build   | have_c_compiler | gcc libc6-dev       | a C compiler: Rust links with it, and SQLite is compiled'
  'servers | have_mariadb    | mariadb-server-core mariadb-client-core | MariaDB, one of the databases that the tests run against'
  'servers | have_openssl    | openssl             | makes the certificate of the test with TLS to MySQL'
  'servers | have_valkey     | valkey-tools,redis-tools | Valkey or Redis, by which processes share events'
  'servers | have_venv       | python3-venv        | Python, in which the judges of the tests run'
  'servers | have_mysql      | fetch:fetch_mysql   | MySQL, one of the databases that the tests run against'
  'servers | have_judges     | fetch:fetch_judges  | judges of what the tests write, moto, which plays AWS, and the CLI of AWS'
  'images  | have_skopeo     | skopeo              | copies the images that the tests build'
  'images  | have_umoci      | umoci               | unpacks the images that the tests build'
  'images  | have_runc       | runc                | starts what umoci unpacked'
  'images  | have_podman     | podman              | starts the images that the tests build'
  'images  | have_oci_image_tool | oci-image-tool | judges the images that the tests build'
  'images  | have_oci_schemas | golang-github-opencontainers-image-spec-dev | the JSON schemas of the image specification'
  'images  | have_docker_registry | docker-registry | the registry that images go to'
  'images  | have_disorderfs | disorderfs         | shows a folder in another order each time'
  'browser | have_chromium   | chromium,libnss3 libexpat1 fontconfig fonts-noto-core fonts-noto-color-emoji | the browser that the web client is tried in'
  'browser | have_npm        | nodejs npm         | npm, which fetches what drives the browser'
  'browser | have_chromium   | fetch:fetch_chromium | that browser, if the distribution has none'
  'browser | have_browser_packages | fetch:fetch_browser | what drives the browser, and judges pages and scripts'
  'peers   | have_node       | nodejs npm          | Node.js, in which sequelize-cli runs'
  'peers   | have_sqlx_peer  | fetch:fetch_sqlx_peer  | sqlx-cli, whose databases ours takes over'
  'peers   | have_node_peers | fetch:fetch_node_peers | sequelize-cli and dbmate, whose databases ours takes over'
  'peers-image | have_buildah        | buildah        | builds the same image, to be compared with'
  'bench   | have_python     | python3             | Python, in which dev/bench measures'
  'bench   | have_time       | time                | GNU time, which tells how much memory a program had'
)

# Debian keeps servers where a plain user's PATH does not look.
PATH=$PATH:/usr/sbin:/sbin

have_c_compiler() { cc -E -x c - <<<'#include <stdio.h>' >/dev/null 2>&1; }
# The script that makes MariaDB's data folder calls my_print_defaults, which Debian has elsewhere.
have_mariadb() {
  [[ -n ${TEST_MARIADB_URL:-} ]] ||
    { mariadbd --no-defaults --version && my_print_defaults --no-defaults --version; } >/dev/null 2>&1
}
# Debian calls the same program valkey-server, in a package that also starts it as a service, and
# valkey-check-rdb, in that of its tools. have_valkey sets `valkey` to what is there.
valkey=
have_valkey() {
  local name
  for name in valkey-server redis-server valkey-check-rdb redis-check-rdb; do
    # shellcheck disable=SC2034 # dev/databases starts it
    valkey=$(command -v "$name") && return
  done
}
have_openssl() { [[ -n ${TEST_MYSQL_URL:-} ]] || openssl version >/dev/null 2>&1; }
have_python() { python3 --version >/dev/null 2>&1; }
have_time() { /usr/bin/time -f %M true >/dev/null 2>&1; }
have_skopeo() { skopeo --version >/dev/null 2>&1; }
have_runc() { runc --version >/dev/null 2>&1; }
have_podman() { podman --version >/dev/null 2>&1; }
have_buildah() { buildah --version >/dev/null 2>&1; }
have_docker_registry() { docker-registry --version >/dev/null 2>&1; }
have_oci_image_tool() { oci-image-tool --version >/dev/null 2>&1; }
have_oci_schemas() { [[ -d /usr/share/gocode/src/github.com/opencontainers/image-spec/schema ]]; }
have_disorderfs() { disorderfs --version >/dev/null 2>&1; }
have_umoci() { umoci --version >/dev/null 2>&1; }

# provide KIND…: installs or fetches what is missing for these kinds, and says what and why first.
provide() {
  local kinds=" $* " need kind probe source why packages=() fetchers=() missing=()
  for need in "${needs[@]}"; do
    read_need "$need"
    [[ $kinds == *" $kind "* ]] || continue
    "$probe" && continue
    missing+=("$need")
    # A list of packages is meant to fall apart into words.
    # shellcheck disable=SC2206
    case $source in
    fetch:*) fetchers+=("${source#fetch:}") ;;
    *) packages+=($source) ;;
    esac
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0

  heading 'What the tests need and this machine lacks'
  for need in "${missing[@]}"; do
    read_need "$need"
    note "  $why  ($source)"
  done
  if [[ ${#packages[@]} -gt 0 ]]; then
    install_packages "${packages[@]}" || true
  fi
  local fetcher
  for fetcher in "${fetchers[@]}"; do
    "$fetcher" || true
  done
  for need in "${missing[@]}"; do
    read_need "$need"
    "$probe" || skip "the tests that need this: $why."
  done
}

# read_need LINE: into the variables kind, probe, source and why of the caller.
read_need() {
  IFS='|' read -r kind probe source why <<<"$1"
  kind=${kind%% *}
  read -r probe <<<"$probe"
  read -r source <<<"$source"
  read -r why <<<"$why"
}

# new_cache_folder: an empty folder to fetch into, on the file system of what it will be renamed to.
new_cache_folder() {
  { mkdir -p "$cache" && mktemp -d "$cache/fetching.XXXXXX"; } 2>/dev/null || {
    error "the folder $cache cannot be written. Set XDG_CACHE_HOME to a folder that can be."
    return 1
  }
}

# install_npm FOLDER PACKAGE…: just these and what they need, in that folder; none of them runs anything.
install_npm() {
  npm install --prefix "$1" --ignore-scripts --no-audit --no-fund --no-package-lock --no-save "${@:2}" </dev/null
}

install_packages() {
  if ! command -v apt-get >/dev/null; then
    error "this machine has no apt-get, so nothing was installed. Install what these packages of" \
      "Debian contain by hand: $*"
    return 1
  fi
  local as_root=()
  if [[ $EUID -ne 0 ]]; then
    if ! command -v sudo >/dev/null || { ! sudo -n true 2>/dev/null && [[ ! -t 0 ]]; }; then
      error "installing needs root, and sudo gives no such rights here." \
        "As root, run: apt-get install --no-install-recommends ${*##*,}"
      return 1
    fi
    as_root=(sudo)
  fi
  local apt_get=(
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0
  )
  "${apt_get[@]}" update >&2 </dev/null || warn 'apt-get update failed; trying with the lists that are there.'
  local package packages=()
  for package; do
    package=$(first_known "$package") || { warn "this distribution has no package $package" && continue; }
    packages+=("$package")
  done
  [[ ${#packages[@]} -gt 0 ]] || return 0
  note "Installing with apt-get: ${packages[*]}"
  # --no-remove: MySQL and MariaDB displace each other in some distributions, and a server that the
  # developer has installed is worth more than this run.
  if ! "${apt_get[@]}" install --yes --no-install-recommends --no-remove "${packages[@]}" >&2 </dev/null; then
    error "apt-get could not install: ${packages[*]}. Its own message stands above; where a database displaces" \
      "another, set TEST_MARIADB_URL or TEST_MYSQL_URL to a server that you run yourself."
    return 1
  fi
}

# first_known A,B…: the first of these packages that can be installed here, or all of them if none can.
first_known() {
  local name names known
  IFS=, read -ra names <<<"$1"
  for name in "${names[@]}"; do
    known=$(LC_ALL=C apt-cache policy "$name" 2>/dev/null)
    if [[ $known == *"Candidate: "* && $known != *"Candidate: (none)"* ]]; then
      echo "$name"
      return
    fi
  done
  echo "$1"
  return 1
}
