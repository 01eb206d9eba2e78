# shellcheck shell=bash
# The migration tools that ours is measured against and takes over from: sqlx-cli, from crates.io,
# and sequelize-cli and dbmate, from the npm registry, where dbmate's program lies inside a package.
# Of each the one release named here, in folders of their own: nothing of the machine changes.

# shellcheck disable=SC2154 # set in needs.sh
peers_folder=$cache/peers
sqlx_version=0.9.0
node_peers=(sequelize-cli@6.6.5 sequelize@6.37.8 mysql2@3.24.6 dbmate@2.36.0)

have_node() { [[ -n ${TEST_PEERS:-} ]] || { node --version && npm --version; } >/dev/null 2>&1; }

have_sqlx_peer() {
  [[ -n ${TEST_PEERS:-} || $("$peers_folder/bin/sqlx" --version 2>/dev/null) == "sqlx-cli $sqlx_version" ]]
}

have_node_peers() {
  [[ -n ${TEST_PEERS:-} || $(cat "$peers_folder/node/packages" 2>/dev/null) == "${node_peers[*]}" ]]
}

# export_peers: sets TEST_PEERS to the folder that has bin/sqlx, bin/sequelize-cli and bin/dbmate,
# if all of them are there.
export_peers() {
  ! have_node || ! have_sqlx_peer || ! have_node_peers || export TEST_PEERS=${TEST_PEERS:-$peers_folder}
}

# Without TLS, which the servers of the tests do not ask for and which takes longest to compile.
# Otherwise as users install it, and optimised, because dev/bench measures it too.
fetch_sqlx_peer() {
  note "Compiling sqlx-cli $sqlx_version (about 2 minutes) into $peers_folder"
  local work started=$SECONDS
  work=$(new_cache_folder) || return 1
  if CARGO_TARGET_DIR=$work/target cargo install --quiet --locked --root "$work/sqlx" --bin sqlx \
    --no-default-features --features mysql,sqlite "sqlx-cli@$sqlx_version" >"$work/log" 2>&1 </dev/null; then
    keep_peer "$work/sqlx" have_sqlx_peer sqlx=bin/sqlx
    note "Compiled sqlx-cli in $((SECONDS - started)) s."
  else
    error 'sqlx-cli could not be compiled. The last lines of the attempt:'
    tail -n 15 "$work/log" >&2
    note 'Check that cargo reaches its registry, or set TEST_PEERS to a folder that has bin/sqlx,' \
      'bin/sequelize-cli and bin/dbmate.'
  fi
  rm -rf "$work"
  have_sqlx_peer
}

fetch_node_peers() {
  note "Fetching sequelize-cli and dbmate (about 20 MB) into $peers_folder"
  local work started=$SECONDS
  work=$(new_cache_folder) || return 1
  mkdir "$work/node"
  # dbmate's own bin is a script that starts the program with node.
  if install_npm "$work/node" "${node_peers[@]}" >"$work/log" 2>&1 &&
    (cd "$work/node" && ln -s node_modules/@dbmate/*/bin/dbmate dbmate && ./dbmate --version >>"$work/log" 2>&1); then
    echo "${node_peers[*]}" >"$work/node/packages"
    keep_peer "$work/node" have_node_peers sequelize-cli=node_modules/.bin/sequelize-cli dbmate=dbmate
    note "Fetched sequelize-cli and dbmate in $((SECONDS - started)) s."
  else
    error 'sequelize-cli and dbmate could not be fetched. The last lines of the attempt:'
    tail -n 15 "$work/log" >&2
    note 'Check that npm reaches its registry, or set TEST_PEERS to a folder that has bin/sqlx,' \
      'bin/sequelize-cli and bin/dbmate.'
  fi
  rm -rf "$work"
  have_node_peers
}

# keep_peer FOLDER PROBE NAME=PATH…: moves FOLDER to where it is looked for, unless another run was
# faster, and makes bin/NAME of the PATH in it. The rename is the last step, so that a folder of this
# name is a whole one.
keep_peer() {
  local from=$1 probe=$2 name=${1##*/} link
  shift 2
  mkdir -p "$peers_folder/bin"
  for link; do
    ln -sfn "../$name/${link#*=}" "$peers_folder/bin/${link%%=*}"
  done
  "$probe" || rm -rf "${peers_folder:?}/$name"
  mv -T "$from" "$peers_folder/$name" 2>/dev/null || true
}
