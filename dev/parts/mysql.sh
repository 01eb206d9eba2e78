# shellcheck shell=bash
# Where MySQL comes from. Debian has it in unstable only, and Ubuntu does not let it be installed
# beside MariaDB. So it is unpacked, with the libraries it was built with, into a folder of its own:
# no package of the machine changes, and no rights are needed.

# shellcheck disable=SC2154 # set in needs.sh
mysql_folder=$cache/mysql
mysqld=()

# have_mysql: finds a MySQL server, and sets `mysqld` to what starts it.
have_mysql() {
  [[ -n ${TEST_MYSQL_URL:-} ]] || find_installed_mysql || find_unpacked_mysql "$mysql_folder"
}

# An installed MySQL that AppArmor confines cannot have its data where the tests want it.
find_installed_mysql() {
  mysqld=(mysqld --no-defaults)
  [[ ! -e /etc/apparmor.d/usr.sbin.mysqld ]] && is_mysql
}

find_unpacked_mysql() {
  local root=$1 loader libraries
  [[ -x $root/usr/sbin/mysqld ]] || return 1
  loader=$(find "$root" -name 'ld-linux*.so.*' -print -quit)
  libraries=$(find "$root"/lib "$root"/usr/lib -maxdepth 1 -name '*-linux-gnu*' -printf '%p:' 2>/dev/null || true)
  mysqld=(
    "$loader" --library-path "$libraries$root/usr/lib/mysql/private" "$root/usr/sbin/mysqld"
    --no-defaults --basedir="$root/usr" --plugin-dir="$root/usr/lib/mysql/plugin"
    --lc-messages-dir="$root/usr/share/mysql" --character-sets-dir="$root/usr/share/mysql/charsets"
  )
  is_mysql
}

# MariaDB also calls its server mysqld; and an unpacked one may lack a part.
is_mysql() {
  local version
  version=$("${mysqld[@]}" --version 2>/dev/null) && [[ $version != *MariaDB* ]]
}

fetch_mysql() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
    error 'MySQL comes from Debian packages, and this machine has no apt-get and dpkg. Install a' \
      'MySQL server (mysqld) by hand, or set TEST_MYSQL_URL to one.'
    return 1
  fi
  note "Fetching MySQL (about 50 MB) into $mysql_folder"
  local work started=$SECONDS
  work=$(new_cache_folder) || return 1
  if download_mysql "$work" >"$work/log" 2>&1 && find_unpacked_mysql "$work/root"; then
    # The rename is the last step, so that a folder of this name is a whole one. When another run
    # was faster, its folder stays.
    find_unpacked_mysql "$mysql_folder" || rm -rf "$mysql_folder"
    mv -T "$work/root" "$mysql_folder" 2>/dev/null || true
    note "Fetched MySQL in $((SECONDS - started)) s."
  else
    error 'MySQL could not be fetched. The last lines of the attempt:'
    tail -n 15 "$work/log" >&2
    note 'Check that this machine reaches its package archive, or set TEST_MYSQL_URL to a server of yours.'
  fi
  rm -rf "$work"
  have_mysql
}

# download_mysql FOLDER: unpacks MySQL into FOLDER/root with an apt-get that knows nothing of the
# packages of this machine, and therefore lists every library.
download_mysql() {
  local folder=$1 name packages
  mkdir -p "$folder"/{root,packages,state/lists/partial,cache/archives/partial}
  touch "$folder/status"
  write_archive_line >"$folder/sources" || return 1
  cat >"$folder/apt.conf" <<END
#clear APT::Update;
#clear DPkg::Post-Invoke;
APT::Default-Release "";
APT::Sandbox::User "";
Acquire::Retries "3";
Dir::Etc::SourceList "$folder/sources";
Dir::Etc::SourceParts "-";
Dir::Etc::Preferences "-";
Dir::Etc::PreferencesParts "-";
Dir::State "$folder/state";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
END
  local apt=(-c "$folder/apt.conf")
  apt-get "${apt[@]}" update || return 1
  for name in mysql-server-core mysql-server-core-8.4 mysql-server-core-8.0 ''; do
    apt-cache "${apt[@]}" show "${name:-mysql-server-core}" >/dev/null 2>&1 && break
  done
  [[ -n $name ]] || { echo 'The archive has no mysql-server-core.' && return 1; }
  # Perl is for scripts beside the server.
  packages=$(apt-get "${apt[@]}" install --simulate --no-install-recommends "$name" |
    awk '$1 == "Inst" && $2 !~ /^(perl|libperl|libgdbm|libdb5)/ { print $2 }') || return 1
  # shellcheck disable=SC2086 # a list of names
  (cd "$folder/packages" && apt-get "${apt[@]}" download $packages) || return 1
  for name in "$folder"/packages/*.deb; do
    dpkg -x "$name" "$folder/root" || return 1
  done
  rm -rf "$folder"/root/usr/bin "$folder"/root/usr/share/{doc,man,locale,lintian}
}

# write_archive_line: the archive that this machine's own packages come from, as a line of an apt
# source list with the suite that has MySQL.
write_archive_line() {
  local id codename uri keyring=''
  # shellcheck disable=SC1091
  read -r id codename < <(. /etc/os-release && echo "$ID ${VERSION_CODENAME:-}")
  # The origin of a list is known only once it has been downloaded.
  # shellcheck disable=SC2016
  uri=$(
    {
      apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" || $1 == "Ubuntu"'
      apt-get indextargets --no-release-info --format '- $(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages'
    } | awk '$2 !~ /[-\/]/ && $3 == "main" && !found { print $4; found = 1 }'
  )
  [[ -n $uri ]] || { echo 'The apt sources of this machine name no archive with a component main.' >&2 && return 1; }
  for keyring in /usr/share/keyrings/"$id"-archive-keyring.{pgp,gpg} ''; do
    [[ -e $keyring ]] && break
  done
  local options="target=Packages${keyring:+ signed-by=$keyring}"
  if [[ $id == debian ]]; then
    echo "deb [$options] $uri unstable main"
  else
    echo "deb [$options] $uri $codename main universe"
    echo "deb [$options] $uri $codename-updates main universe"
  fi
}
