{{- define "semaphores.name" -}}
{{- default .Release.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "semaphores.labels" -}}
app.kubernetes.io/name: semaphores
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "semaphores.selector" -}}
app.kubernetes.io/name: semaphores
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "semaphores.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "semaphores.passwordSecret" -}}
{{ .Values.valkey.existingSecret | default (printf "%s-valkey" (include "semaphores.name" .)) }}
{{- end -}}

{{/* Whether there is a password at all: a server of yours may have none. */}}
{{- define "semaphores.hasPassword" -}}
{{- if or .Values.valkey.bundled .Values.valkey.existingSecret .Values.valkey.password -}}yes{{- end -}}
{{- end -}}

{{- define "semaphores.tokenSecret" -}}
{{ .Values.page.existingSecret | default (printf "%s-page" (include "semaphores.name" .)) }}
{{- end -}}

{{/* Where the server is. The password is put in by Kubernetes when a pod starts, so that no manifest has it. */}}
{{- define "semaphores.url" -}}
{{- if .Values.valkey.bundled -}}
redis://:$(VALKEY_PASSWORD)@{{ include "semaphores.name" . }}-valkey:6379/0
{{- else -}}
{{- $url := required "valkey.url names the server, where valkey.bundled is false" .Values.valkey.url -}}
{{- if not (include "semaphores.hasPassword" .) -}}
{{ $url }}
{{- else -}}
{{- $scheme := regexFind "^[a-z+]+://" $url -}}
{{- $rest := trimPrefix $scheme $url -}}
{{- if contains "@" $rest -}}
{{ $scheme }}{{ regexReplaceAll "@" $rest ":$(VALKEY_PASSWORD)@" }}
{{- else -}}
{{ $scheme }}:$(VALKEY_PASSWORD)@{{ $rest }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "semaphores.env" -}}
{{- if include "semaphores.hasPassword" . }}
- name: VALKEY_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "semaphores.passwordSecret" . }}
      key: {{ .Values.valkey.secretKey }}
{{- end }}
- name: SEMAPHORES_URL
  value: {{ include "semaphores.url" . | quote }}
- name: SEMAPHORES_NAMESPACE
  value: {{ .Values.namespace | quote }}
- name: SEMAPHORES_TTL
  value: {{ .Values.ttl | quote }}
{{- if .Values.dagster.instance.config }}
- name: SEMAPHORES_CONFIG
  value: /etc/semaphores/semaphores.yaml
{{- end }}
{{- end -}}

{{- define "semaphores.podSecurity" -}}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "semaphores.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "semaphores.volumes" -}}
- name: tmp
  emptyDir: {}
{{- if .Values.dagster.instance.config }}
- name: config
  configMap:
    name: {{ include "semaphores.name" . }}-config
{{- end }}
{{- if .Values.jobs }}
- name: jobs
  configMap:
    name: {{ include "semaphores.name" . }}-jobs
{{- end }}
{{- end -}}

{{- define "semaphores.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .Values.dagster.instance.config }}
- name: config
  mountPath: /etc/semaphores
  readOnly: true
{{- end }}
{{- if .Values.jobs }}
- name: jobs
  mountPath: /jobs
  readOnly: true
{{- end }}
{{- end -}}
