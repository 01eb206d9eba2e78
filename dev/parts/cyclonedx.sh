# shellcheck shell=bash
# What checks bills of materials: the library of CycloneDX, which has the schemas, from the Python
# package index, in a folder of its own.

cyclonedx_version=11.12.0
# shellcheck disable=SC2154 # set in needs.sh
cyclonedx_folder=$cache/cyclonedx-$cyclonedx_version

have_cyclonedx() {
  [[ -n ${TEST_CYCLONEDX_PYTHON:-} ]] ||
    "$cyclonedx_folder/bin/python" -c 'import cyclonedx, jsonschema, packageurl' >/dev/null 2>&1
}
have_cyclonedx_venv() { have_cyclonedx || python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

# export_cyclonedx: sets TEST_CYCLONEDX_PYTHON to the Python that has the library, if it is there.
export_cyclonedx() {
  ! have_cyclonedx || export TEST_CYCLONEDX_PYTHON=${TEST_CYCLONEDX_PYTHON:-$cyclonedx_folder/bin/python}
}

fetch_cyclonedx() {
  note "Fetching CycloneDX's library (about 45 MB) into $cyclonedx_folder"
  local work started=$SECONDS
  work=$(new_cache_folder) || return 1
  if python3 -m venv "$work/venv" >"$work/log" 2>&1 &&
    "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
      "cyclonedx-python-lib[json-validation]==$cyclonedx_version" >>"$work/log" 2>&1 </dev/null; then
    have_cyclonedx || rm -rf "$cyclonedx_folder"
    mv -T "$work/venv" "$cyclonedx_folder" 2>/dev/null || true
    note "Fetched CycloneDX's library in $((SECONDS - started)) s."
  else
    error "CycloneDX's library could not be fetched. The last lines of the attempt:"
    tail -n 15 "$work/log" >&2
    note 'Check that pip reaches its package index, or set TEST_CYCLONEDX_PYTHON to a Python that has' \
      'cyclonedx-python-lib[json-validation].'
  fi
  rm -rf "$work"
  have_cyclonedx
}
