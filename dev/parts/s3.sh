# shellcheck shell=bash
# The S3 server of the tests: moto, from the Python package index, in a folder of its own.

# shellcheck disable=SC2154 # set in needs.sh
s3_folder=$cache/moto

have_s3() { [[ -n ${TEST_S3_ENDPOINT:-} ]] || "$s3_folder/bin/python" -c 'import moto.server' >/dev/null 2>&1; }

fetch_s3() {
  note "Fetching moto (about 40 MB) into $s3_folder"
  local work started=$SECONDS
  work=$(new_cache_folder) || return 1
  # The server needs Flask besides what moto needs for S3; moto's own extra `server` would bring
  # three times as much.
  if python3 -m venv "$work/venv" >"$work/log" 2>&1 &&
    "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
      'moto[s3]>=5,<6' 'flask>=3,<4' 'flask-cors>=5' >>"$work/log" 2>&1 </dev/null; then
    have_s3 || rm -rf "$s3_folder"
    mv -T "$work/venv" "$s3_folder" 2>/dev/null || true
    note "Fetched moto in $((SECONDS - started)) s."
  else
    error 'moto, the S3 server of the tests, could not be fetched. The last lines of the attempt:'
    tail -n 15 "$work/log" >&2
    note 'Check that pip reaches its package index, or set TEST_S3_ENDPOINT to a server of yours.'
  fi
  rm -rf "$work"
  have_s3
}
