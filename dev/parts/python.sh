# shellcheck shell=bash
# What the tests need of Python: libraries from its package index, each set in a folder of its own.

# The S3 server of the tests. It needs Flask besides what moto needs for S3; moto's own extra `server`
# would bring three times as much.
# shellcheck disable=SC2154 # set in needs.sh
s3_folder=$cache/moto
# shellcheck disable=SC2034 # fetch_python uses it by its name
s3_packages=('moto[s3]>=5,<6' 'flask>=3,<4' 'flask-cors>=5')

# Those who judge what is written here: bills of materials, JSON by its schema, the configuration of
# CircleCI, the template of CloudFormation. The number in the folder's name counts up when the packages
# change.
judges_folder=$cache/judges-2
# shellcheck disable=SC2034 # fetch_python uses it by its name
judges_packages=(
  'cyclonedx-python-lib[json-validation]==11.12.0' 'check-jsonschema==0.39.0' 'cfn-lint==1.58.0'
)

have_s3() { [[ -n ${TEST_S3_ENDPOINT:-} ]] || "$s3_folder/bin/python" -c 'import moto.server' >/dev/null 2>&1; }
have_judges() {
  [[ -n ${TEST_PYTHON:-} ]] ||
    "$judges_folder/bin/python" -c 'import cfnlint, check_jsonschema, cyclonedx, packageurl' >/dev/null 2>&1
}
have_venv() { { have_s3 && have_judges; } || python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }

fetch_s3() { fetch_python s3 'moto, the S3 server of the tests' TEST_S3_ENDPOINT; }
fetch_judges() { fetch_python judges 'the libraries that judge what the tests write' TEST_PYTHON; }

# export_judges: sets TEST_PYTHON to the Python that has them, if they are there.
export_judges() {
  ! have_judges || export TEST_PYTHON=${TEST_PYTHON:-$judges_folder/bin/python}
}

# fetch_python NAME WHAT VARIABLE: fetches the packages of NAME into its folder.
fetch_python() {
  local name=$1 what=$2 variable=$3 work started=$SECONDS
  local -n folder=${name}_folder packages=${name}_packages
  note "Fetching $what (50 to 200 MB) into $folder"
  work=$(new_cache_folder) || return 1
  if python3 -m venv "$work/venv" >"$work/log" 2>&1 &&
    "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
      "${packages[@]}" >>"$work/log" 2>&1 </dev/null; then
    "have_$name" || rm -rf "$folder"
    mv -T "$work/venv" "$folder" 2>/dev/null || true
    note "Fetched it in $((SECONDS - started)) s."
  else
    error "$what could not be fetched. The last lines of the attempt:"
    tail -n 15 "$work/log" >&2
    note "Check that pip reaches its package index, or set $variable to one of yours."
  fi
  rm -rf "$work"
  "have_$name"
}
