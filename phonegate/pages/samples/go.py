"""Samples in Go."""

from typing import Final

_SEND: Final = """
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	body := strings.NewReader(`{"to": "+15553334444", "body": "Dinner at eight?"}`)
	request, err := http.NewRequest("POST", "BASE/send/myorg", body)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("PHONEGATE_KEY"))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", "dinner-2026-11-21")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Ok      bool
		Detail  string
		Results []struct {
			ID     int64
			Status string
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		log.Fatal(err)
	}
	if !answer.Ok {
		log.Fatal(answer.Detail)
	}
	for _, result := range answer.Results {
		fmt.Println(result.ID, result.Status)
	}
}
"""

_READ: Final = """
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	lastID := int64(0) // what you have read so far
	address := fmt.Sprintf("BASE/messages/myorg?direction=in&since_id=%d", lastID)
	request, err := http.NewRequest("GET", address, nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("PHONEGATE_KEY"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		log.Fatal(response.Status)
	}
	var page struct {
		Messages []struct {
			ID            int64
			Address, Body string
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&page); err != nil {
		log.Fatal(err)
	}
	for _, message := range page.Messages {
		fmt.Println(message.ID, message.Address, message.Body)
		lastID = message.ID
	}
}
"""

_FOLLOW: Final = """
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

type page struct {
	Events []struct {
		Data struct {
			Message struct{ Address, Body string }
		}
	}
	LastID int64 `json:"last_id"`
}

var client = http.Client{Timeout: time.Minute}

func events(query string) page {
	for ; ; time.Sleep(5 * time.Second) {
		request, err := http.NewRequest("GET", "BASE/events/myorg?"+query, nil)
		if err != nil {
			log.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+os.Getenv("PHONEGATE_KEY"))
		response, err := client.Do(request)
		if err != nil {
			continue // The gateway is away.
		}
		var found page
		err = json.NewDecoder(response.Body).Decode(&found)
		response.Body.Close()
		status := response.StatusCode
		if status == http.StatusOK && err == nil {
			return found
		}
		if status >= 400 && status < 500 && status != http.StatusTooManyRequests {
			log.Fatal(response.Status)
		}
	}
}

func main() {
	lastID := events("limit=1").LastID
	for {
		found := events(fmt.Sprintf("types=message.received&wait=25&since_id=%d", lastID))
		for _, event := range found.Events {
			fmt.Println(event.Data.Message.Address, event.Data.Message.Body)
		}
		lastID = found.LastID
	}
}
"""

_VERIFY: Final = """
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func isSigned(secret string, header http.Header, body []byte) bool {
	id, stamp := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if age := time.Since(time.Unix(seconds, 0)); err != nil || age.Abs() > 5*time.Minute {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	own := hmac.New(sha256.New, key)
	fmt.Fprintf(own, "%s.%s.%s", id, stamp, body)
	for _, one := range strings.Fields(header.Get("Webhook-Signature")) {
		given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(one, "v1,"))
		if err == nil && hmac.Equal(given, own.Sum(nil)) {
			return true
		}
	}
	return false
}

func receive(writer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(writer, request.Body, 1<<20))
	if err != nil || !isSigned(os.Getenv("WEBHOOK_SECRET"), request.Header, body) {
		http.Error(writer, "not signed by the gateway", http.StatusBadRequest)
		return
	}
	var event struct {
		Type string
		ID   int64
	}
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(writer, "no event", http.StatusBadRequest)
		return
	}
	fmt.Println(event.Type, event.ID)
	writer.WriteHeader(http.StatusNoContent)
}

func main() {
	log.Fatal(http.ListenAndServe(":8000", http.HandlerFunc(receive)))
}
"""

SAMPLES: Final = {"send": _SEND, "read": _READ, "follow": _FOLLOW, "verify": _VERIFY}
